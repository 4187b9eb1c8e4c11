"""Channels: where notices go. One folder a kind, found by `registry`; payloads are built purely, senders send them."""
