"""Slack: chat.postMessage, chat.update and incoming webhooks, with the limits of docs.slack.dev."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
from typing import Any
from urllib.parse import urlencode

from tests.fakes.server import FakeServer, Reply, Request, reply

TEXT, HEADER, BLOCKS, FIELDS, FIELD, BUTTON, VALUE, ALL = 3_000, 150, 50, 10, 2_000, 75, 2_000, 13_000


class FakeSlack(FakeServer):
    """One workspace with one bot token, one signing secret, and a channel."""

    token, signing_secret, channel = "xoxb-1-fake", "8f742231b10e8888abcd99yyyzzz85a5", "C024BE91L"
    hook = "/services/T0/B0/hush-hush"

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, dict[str, Any]] = {}
        self.replies: dict[str, list[dict[str, Any]]] = {}
        self.hooked: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._times = (f"1700000000.{number:06d}" for number in itertools.count(1))

    @property
    def api(self) -> str:
        """What stands for https://slack.com/api."""
        return f"{self.url}/api"

    def delete(self, ts: str) -> None:
        """Somebody deletes a message."""
        del self.messages[ts]

    def answer(self, request: Request) -> Reply:
        try:
            message = request.json()
        except ValueError:
            return Reply(400, b"invalid_payload")
        if request.path == self.hook:
            return self._hooked(message)
        if request.path.startswith("/services/"):
            return Reply(404, b"no_service")
        return reply(200, self._called(request, message))

    def press(self, action_id: str, value: str, at_s: int, user: str = "anna") -> tuple[bytes, dict[str, str]]:
        """Body and headers of what Slack sends when a button is pressed."""
        payload = {
            "type": "block_actions",
            "user": {"id": "U1", "username": user, "name": user, "team_id": "T0"},
            "actions": [
                {"type": "button", "action_id": action_id, "block_id": "b", "value": value, "action_ts": f"{at_s}.1"}
            ],
            "response_url": "https://hooks.slack.com/actions/T0/1/x",
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        signed = hmac.new(self.signing_secret.encode(), b"v0:%d:%s" % (at_s, body), hashlib.sha256).hexdigest()
        return body, {"x-slack-request-timestamp": str(at_s), "x-slack-signature": f"v0={signed}"}

    def _hooked(self, message: dict[str, Any]) -> Reply:
        if problems := problems_of(message):
            self.wrong += problems
            return Reply(400, b"invalid_blocks")
        self.hooked.append(message)
        return Reply(200, b"ok")

    def _called(self, request: Request, message: dict[str, Any]) -> dict[str, Any]:
        if self.errors:
            return {"ok": False, "error": self.errors.pop(0)}
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return {"ok": False, "error": "invalid_auth"}
        if message.get("channel") not in (self.channel, "#orders"):
            return {"ok": False, "error": "channel_not_found"}
        if problems := problems_of(message):
            self.wrong += problems
            return {"ok": False, "error": "invalid_blocks"}
        if request.path == "/api/chat.update":
            return self._updated(message)
        if request.path != "/api/chat.postMessage":
            return {"ok": False, "error": "unknown_method"}
        ts = next(self._times)
        if thread := message.get("thread_ts"):
            self.replies.setdefault(thread, []).append(message)
        else:
            self.messages[ts] = message
        return {"ok": True, "channel": self.channel, "ts": ts, "message": message}

    def _updated(self, message: dict[str, Any]) -> dict[str, Any]:
        if message.get("ts") not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        self.messages[message["ts"]] = message
        return {"ok": True, "channel": self.channel, "ts": message["ts"]}


def problems_of(message: dict[str, Any]) -> list[str]:
    """What Slack wouldn't take of a message."""
    blocks, problems = message.get("blocks", []), []
    if not message.get("text"):
        problems.append("no text for notifications")
    if not 0 < len(blocks) <= BLOCKS:
        problems.append(f"{len(blocks)} blocks")
    if (size := sum(len(json.dumps(each, ensure_ascii=False)) for each in blocks)) > ALL:
        problems.append(f"msg_blocks_too_long: {size}")
    for block in blocks:
        problems += _problems_of_block(block)
    return problems


def _problems_of_block(block: dict[str, Any]) -> list[str]:
    match block["type"]:
        case "header":
            return _problems_of_text(block["text"], "plain_text", HEADER)
        case "section" if "fields" in block:
            wrong = [] if 0 < len(block["fields"]) <= FIELDS else ["fields"]
            return wrong + [each for field in block["fields"] for each in _problems_of_text(field, "mrkdwn", FIELD)]
        case "section":
            return _problems_of_text(block["text"], "mrkdwn", TEXT)
        case "context":
            wrong = [] if 0 < len(block["elements"]) <= 10 else ["elements"]
            return wrong + [each for text in block["elements"] for each in _problems_of_text(text, "mrkdwn", TEXT)]
        case "actions":
            return [each for button in block["elements"] for each in _problems_of_button(button)]
    return [f"unknown block {block['type']}"]


def _problems_of_button(button: dict[str, Any]) -> list[str]:
    wrong = _problems_of_text(button["text"], "plain_text", BUTTON)
    wrong += [] if len(button["action_id"]) <= 255 else ["action_id"]
    return wrong + ([] if len(button["value"]) <= VALUE else ["value"])


def _problems_of_text(text: dict[str, Any], kind: str, most: int) -> list[str]:
    words = text["text"]
    if text["type"] != kind or not words or _units(words) > most:
        return [f"a {text['type']} of {len(words)} characters"]
    if kind == "mrkdwn" and (bare := re.sub(r"&(amp|lt|gt);|<(https?://[^|<>]+|!date\^[^<>]+)\|[^|<>]+>", "", words)):
        return [f"not escaped: {bare!r}"] if re.search(r"[<>&]", bare) else []
    return []


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
