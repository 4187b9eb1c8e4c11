"""Alertmanager: POST /api/v2/alerts by the rules of its OpenAPI file and of Prometheus' label names."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from tests.fakes.server import FakeServer, Reply, Request, reply

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class FakeAlertmanager(FakeServer):
    """``alerts`` are by their labels; whether one fires depends on its end."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}

    def answer(self, request: Request) -> Reply:
        if (request.method, request.path) != ("POST", "/api/v2/alerts"):
            return reply(404, {"code": 404, "message": "path was not found"})
        if request.headers.get("content-type") != "application/json":
            return reply(415, {"code": 415, "message": "unsupported media type"})
        alerts = request.json()
        if problems := [each for alert in alerts for each in problems_of(alert)]:
            self.wrong += problems
            return reply(400, {"code": 602, "message": "; ".join(problems)})
        for alert in alerts:
            self.alerts[tuple(sorted(alert["labels"].items()))] = alert
        return Reply(200)

    def firing(self, now_ns: int) -> list[dict[str, Any]]:
        """Alerts that haven't ended."""
        return [each for each in self.alerts.values() if _seconds(each["endsAt"]) > now_ns / 1e9]


def problems_of(alert: dict[str, Any]) -> list[str]:
    """What Alertmanager wouldn't take of an alert."""
    labels, notes = alert.get("labels", {}), alert.get("annotations", {})
    wrong = [f"label name {name!r}" for name in (*labels, *notes) if not _NAME.fullmatch(name)]
    if not labels.get("alertname"):
        wrong.append("no alertname")
    wrong += [f"value of {name}" for name, value in {**labels, **notes}.items() if not isinstance(value, str)]
    if _seconds(alert["endsAt"]) < _seconds(alert["startsAt"]):
        wrong.append("start time must be before end time")
    if "generatorURL" in alert and not re.match(r"https?://", alert["generatorURL"]):
        wrong.append("generatorURL")
    return wrong


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
