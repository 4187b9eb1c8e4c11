"""Opsgenie: the alert API v2 with its limits; it answers 202 and does the work by the way."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.server import FakeServer, Reply, Request, reply

LIMITS = {
    "message": 130,
    "alias": 512,
    "description": 15_000,
    "entity": 512,
    "source": 100,
    "user": 100,
    "note": 25_000,
}


class FakeOpsgenie(FakeServer):
    """One integration; ``alerts`` are by alias, the open one or the last."""

    api_key = "eb243592-faa2-4ba2-a551q-1afdf565c889"

    def __init__(self) -> None:
        super().__init__()
        self.alerts: dict[str, dict[str, Any]] = {}
        self.opened: list[str] = []

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"GenieKey {self.api_key}":
            return reply(403, {"message": "Key format is not valid!", "took": 0.0, "requestId": "r"})
        body, parts = request.json(), urlsplit(request.path)
        problems = _problems_of(body)
        if problems or not parts.path.startswith("/v2/alerts"):
            self.wrong += problems or [parts.path]
            return reply(422, {"message": "Request body is not processable.", "errors": problems})
        if parts.path == "/v2/alerts":
            if not body.get("message"):
                self.wrong.append("message is missing")
                return reply(422, {"message": "Message can not be empty."})
            self._create(body)
        elif parse_qs(parts.query).get("identifierType") != ["alias"]:
            self.wrong.append("identifierType")
        else:
            _, _, _, alias, action = parts.path.split("/")
            self._act(unquote(alias), action, body)
        return reply(202, {"result": "Request will be processed", "took": 0.1, "requestId": f"r{len(self.requests)}"})

    def _create(self, body: dict[str, Any]) -> None:
        alert = self.alerts.get(body["alias"])
        if alert is None or alert["status"] == "closed":
            self.opened.append(body["alias"])
            alert = {**body, "status": "open", "acknowledged": False, "count": 0, "notes": []}
            self.alerts[body["alias"]] = alert
        alert["count"] += 1

    def _act(self, alias: str, action: str, body: dict[str, Any]) -> None:
        alert = self.alerts.get(alias)
        if alert is None:
            return
        match action:
            case "acknowledge":
                alert["acknowledged"] = True
            case "close":
                alert["status"] = "closed"
            case "priority":
                alert["priority"] = body["priority"]
            case "notes":
                alert["notes"].append(body["note"])
            case _:
                self.wrong.append(action)


def _problems_of(body: dict[str, Any]) -> list[str]:
    wrong = [name for name, most in LIMITS.items() if len(body.get(name, "").encode("utf-16-le")) // 2 > most]
    tags = body.get("tags", [])
    if len(tags) > 20 or any(len(tag) > 50 for tag in tags):
        wrong.append("tags")
    details = body.get("details", {})
    if not all(isinstance(each, str) for each in details.values()):
        wrong.append("details")
    if sum(len(name) + len(value) for name, value in details.items()) > 8_000:
        wrong.append("details are too long")
    if body.get("priority", "P3") not in ("P1", "P2", "P3", "P4", "P5"):
        wrong.append("priority")
    return wrong
