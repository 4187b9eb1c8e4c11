"""Slack's Web API as far as incidents need it: chat.postMessage and chat.update, with the limits of Block Kit."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clew_demo.vendors.server import Answer, Told

TOKEN, CHANNEL = "xoxb-demo", "C0DEMO0001"
BLOCKS, TEXT, HEADER, FIELDS, FIELD, ALL = 50, 3_000, 150, 10, 2_000, 13_000
_LINKS = re.compile(r"&(amp|lt|gt);|<(https?://[^|<>]+|!date\^[^<>]+)\|[^|<>]+>")
_INCIDENT = re.compile(r"Incident (\d+) of rule ([\w-]+)")


class Slack:
    """One workspace with one channel. Its name of an incident is ``ts``, the time stamp of a message."""

    def __init__(self) -> None:
        """No messages yet."""
        self._messages: dict[str, dict[str, Any]] = {}
        self._stamps = (f"1700000000.{number:06d}" for number in itertools.count(1))

    def answer(self, path: str, headers: Mapping[str, str], body: Any) -> Answer:  # noqa: ANN401 - whatever JSON came
        """As Slack: 200 with ``ok`` true, or false and the error's name."""
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return _refused("invalid_auth", path)
        if body.get("channel") != CHANNEL:
            return _refused("channel_not_found", path)
        if problems := list(problems_of(body)):
            return _refused("invalid_blocks", "; ".join(problems))
        match path:
            case "/chat.postMessage":
                return self._post(body)
            case "/chat.update":
                return self._update(body)
        return _refused("unknown_method", path)

    def _post(self, message: dict[str, Any]) -> Answer:
        stamp = next(self._stamps)
        thread = message.get("thread_ts")
        if thread is None:
            self._messages[stamp] = message
        elif thread not in self._messages:
            return _refused("thread_not_found", str(thread))
        told = Told("replied" if thread else "opened", thread or stamp, words_of(message))
        return _well(stamp, told)

    def _update(self, message: dict[str, Any]) -> Answer:
        stamp = message.get("ts", "")
        if stamp not in self._messages:
            return _refused("message_not_found", stamp)
        self._messages[stamp] = message
        return _well(stamp, Told("updated", stamp, words_of(message)))


def words_of(message: dict[str, Any]) -> str:
    """What a message tells, with the incident that it names in its foot."""
    found = _INCIDENT.search(json.dumps(message["blocks"]))
    return str(message["text"]) + (f" (incident {found[1]} of rule {found[2]})" if found else "")


def problems_of(message: dict[str, Any]) -> Iterator[str]:
    """What Slack wouldn't take of a message."""
    blocks = message.get("blocks", [])
    if not message.get("text"):
        yield "no text for notifications"
    if not 0 < len(blocks) <= BLOCKS:
        yield f"{len(blocks)} blocks"
    if sum(len(json.dumps(each, ensure_ascii=False)) for each in blocks) > ALL:
        yield "msg_blocks_too_long"
    for block in blocks:
        yield from _problems_of_block(block)


def _problems_of_block(block: dict[str, Any]) -> Iterator[str]:
    match block["type"]:
        case "header":
            yield from _problems_of_text(block["text"], "plain_text", HEADER)
        case "section" if "fields" in block:
            if not 0 < len(block["fields"]) <= FIELDS:
                yield f"{len(block['fields'])} fields"
            for field in block["fields"]:
                yield from _problems_of_text(field, "mrkdwn", FIELD)
        case "section":
            yield from _problems_of_text(block["text"], "mrkdwn", TEXT)
        case "context":
            for text in block["elements"]:
                yield from _problems_of_text(text, "mrkdwn", TEXT)
        case other:
            yield f"unknown block {other}"


def _problems_of_text(text: dict[str, Any], kind: str, most: int) -> Iterator[str]:
    words = text["text"]
    if text["type"] != kind or not 0 < len(words.encode("utf-16-le")) // 2 <= most:
        yield f"a {text['type']} of {len(words)} characters"
    if kind == "mrkdwn" and re.search(r"[<>&]", _LINKS.sub("", words)):
        yield f"not escaped: {words!r}"


def _well(stamp: str, told: Told) -> Answer:
    return Answer(200, {"ok": True, "channel": CHANNEL, "ts": stamp}, told)


def _refused(error: str, words: str) -> Answer:
    return Answer(200, {"ok": False, "error": error}, Told("refused", "", f"{error}: {words}"))
