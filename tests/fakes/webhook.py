"""A receiver of Clew's webhook that checks signatures as docs/tell-people.md tells receivers to."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

from tests.fakes.server import FakeServer, Reply, Request


class FakeReceiver(FakeServer):
    """Keeps each document once, by its id."""

    secret = "whsec-fake"

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, dict[str, Any]] = {}
        self.now_s = time.time

    def answer(self, request: Request) -> Reply:
        if not genuine(request.body, request.headers.get("clew-signature", ""), self.secret, self.now_s()):
            return Reply(401, b"wrong signature")
        document = request.json()
        if request.headers.get("clew-notice") != document["id"]:
            self.wrong.append("Clew-Notice isn't the document's id")
        self.documents[document["id"]] = document
        return Reply(204)


def genuine(body: bytes, signature: str, secret: str, now_s: float) -> bool:
    """Whether a request is Clew's and at most five minutes old."""
    parts = dict(part.split("=", 1) for part in signature.split(",") if "=" in part)
    stamp = parts.get("t", "")
    expected = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    fresh = stamp.isdigit() and abs(now_s - int(stamp)) <= 300
    return fresh and hmac.compare_digest(parts.get("v1", ""), expected)
