"""PagerDuty's Events API v2: the form of its events, and alerts by their dedup keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from clew_demo.vendors.server import Answer, Told

ROUTING_KEY = "e93facc04764012d7bfb002500d5d1a6"
SUMMARY, DEDUP_KEY = 1_024, 255
_ACTS = {"acknowledge": "acknowledged", "resolve": "resolved"}
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


class PagerDuty:
    """One integration. Its name of an incident is the dedup key; what is repeated with it opens nothing anew."""

    def __init__(self) -> None:
        """Nobody was paged yet."""
        self._open: set[str] = set()

    def answer(self, path: str, _: Mapping[str, str], body: Any) -> Answer:  # noqa: ANN401 - whatever JSON came
        """As PagerDuty: 202, or 400 with what is wrong."""
        problems = [path] if path != "/v2/enqueue" else list(problems_of(body))
        if problems:
            said = {"status": "invalid event", "message": "Event object is invalid", "errors": problems}
            return Answer(400, said, Told("refused", str(body.get("dedup_key", "")), "; ".join(problems)))
        key = body["dedup_key"]
        said = {"status": "success", "message": "Event processed", "dedup_key": key}
        return Answer(202, said, self._take(key, body))

    def _take(self, key: str, event: dict[str, Any]) -> Told:
        act = _ACTS.get(event["event_action"], "updated" if key in self._open else "opened")
        if act == "resolved":
            self._open.discard(key)
        elif act == "opened":
            self._open.add(key)
        payload = event.get("payload", {})
        rule = f" of rule {payload['class']}" if "class" in payload else ""
        return Told(act, key, f"{payload.get('summary', 'the alert')} ({key}{rule})")


def problems_of(event: dict[str, Any]) -> Iterator[str]:
    """What PagerDuty wouldn't take of an event."""
    if event.get("routing_key") != ROUTING_KEY:
        yield "Invalid routing key"
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        yield "event_action"
    if not 0 < len(event.get("dedup_key", "").encode("utf-16-le")) // 2 <= DEDUP_KEY:
        yield "dedup_key"
    if event.get("event_action") == "trigger":
        yield from _problems_of_payload(event.get("payload", {}))


def _problems_of_payload(payload: dict[str, Any]) -> Iterator[str]:
    for name in ("summary", "source", "severity"):
        if not payload.get(name):
            yield f"{name} is missing"
    if len(payload.get("summary", "").encode("utf-16-le")) // 2 > SUMMARY:
        yield "summary is too long"
    if payload.get("severity") not in ("critical", "error", "warning", "info"):
        yield "severity"
    if "timestamp" in payload and not _STAMP.fullmatch(payload["timestamp"]):
        yield "timestamp"
