"""Whether a request is Slack's: its signature, version 0 (docs.slack.dev, "Verifying requests from Slack"). Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from clew.model.secret import Secret
from clew.notify.channels.contract import NotGenuine

SKEW_S = 300


def verify(body: bytes, headers: Mapping[str, str], now_ns: int, secret: Secret) -> None:
    """Return when the body was signed with the secret within five minutes of now. Raises NotGenuine.

    ``headers`` are looked up in small letters.
    """
    stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 13):
        raise NotGenuine("the request has no time stamp of Slack")
    if abs(now_ns // 10**9 - int(stamp)) > SKEW_S:
        raise NotGenuine("the request is more than five minutes old, or this machine's clock is wrong")
    if not secret or not hmac.compare_digest(sign(body, stamp, secret).encode(), signature.encode("utf-8", "replace")):
        raise NotGenuine("the signature is not one of the signing secret; compare it with that of the Slack app")


def sign(body: bytes, stamp: str, secret: Secret) -> str:
    """The signature of a body at a time (Unix seconds as text)."""
    signed = hmac.new(secret.reveal().encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256)
    return f"v0={signed.hexdigest()}"
