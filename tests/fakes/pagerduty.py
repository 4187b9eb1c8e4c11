"""PagerDuty: Events API v2 by its public OpenAPI file and limits, and the webhooks v3 that it sends."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

from tests.fakes.server import FakeServer, Reply, Request, reply

SUMMARY, DEDUP_KEY, LARGEST = 1_024, 255, 512 << 10
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


class FakePagerDuty(FakeServer):
    """One integration; ``alerts`` are by dedup key, with the state that PagerDuty would show."""

    routing_key, webhook_secret = "e93facc04764012d7bfb002500d5d1a6", "pd-webhook-secret"

    def __init__(self) -> None:
        super().__init__()
        self.alerts: dict[str, dict[str, Any]] = {}
        self.opened: list[str] = []

    def answer(self, request: Request) -> Reply:
        problems = self._problems_of(request)
        if problems:
            self.wrong += problems
            return reply(400, {"status": "invalid event", "message": "Event object is invalid", "errors": problems})
        event = request.json()
        if event["routing_key"] != self.routing_key:
            said = {"status": "invalid key", "message": "Event object is invalid", "errors": ["Invalid routing key"]}
            return reply(400, said)
        key = event.get("dedup_key", "made-up")
        self._take(key, event)
        return reply(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def tell_back(self, kind: str, key: str, who: str = "Anna", at: str = "") -> tuple[bytes, dict[str, str]]:
        """Body and headers of a webhook that says what was done to the incident of a dedup key, now or ``at``."""
        event = {
            "id": "01DEF", "event_type": kind, "resource_type": "incident", "occurred_at": at or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "agent": {"id": "PA", "summary": who, "type": "user_reference"}, "client": None,
            "data": {"id": "PT4KHLK", "type": "incident", "incident_key": key, "status": kind.partition(".")[2]},
        }  # fmt: skip
        body = json.dumps({"event": event}).encode()
        signed = hmac.new(self.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        return body, {"x-pagerduty-signature": f"v1={'0' * 64},v1={signed}"}

    def _take(self, key: str, event: dict[str, Any]) -> None:
        alert = self.alerts.get(key)
        action = event["event_action"]
        if action == "trigger":
            if alert is None or alert["state"] == "resolved":
                self.opened.append(key)
                alert = {"state": "triggered"}
            self.alerts[key] = alert | {"event": event}
        elif alert is not None and alert["state"] != "resolved":
            alert["state"] = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]

    def _problems_of(self, request: Request) -> list[str]:
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            return [f"{request.method} {request.path}"]
        if len(request.body) > LARGEST:
            return ["over 512 kB"]
        event = request.json()
        wrong = [name for name in ("routing_key", "event_action") if not event.get(name)]
        if len(event.get("routing_key", "")) != 32:
            wrong.append("Length of 'routing_key' is incorrect (should be 32 characters)")
        if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
            wrong.append("event_action")
        if event.get("event_action") != "trigger":
            return wrong if event.get("dedup_key") else [*wrong, "dedup_key"]
        if _units(event.get("dedup_key", "")) > DEDUP_KEY:
            wrong.append("dedup_key")
        return wrong + _problems_of_payload(event.get("payload", {})) + _problems_of_links(event)


def _problems_of_payload(payload: dict[str, Any]) -> list[str]:
    wrong = [name for name in ("summary", "source", "severity") if not payload.get(name)]
    if _units(payload.get("summary", "")) > SUMMARY:
        wrong.append("summary is too long")
    if payload.get("severity") not in ("critical", "error", "warning", "info"):
        wrong.append("severity")
    if "timestamp" in payload and not _STAMP.fullmatch(payload["timestamp"]):
        wrong.append("timestamp")
    if not isinstance(payload.get("custom_details", {}), dict):
        wrong.append("custom_details")
    return wrong


def _problems_of_links(event: dict[str, Any]) -> list[str]:
    links = event.get("links", [])
    return [f"link {each}" for each in links if not str(each.get("href", "")).startswith(("http://", "https://"))]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
