"""Vendors on loopback: real HTTP servers that check what they get against the vendors' public rules."""
