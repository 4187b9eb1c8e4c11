"""Requests of Opsgenie's alert API v2. Pure.

Limits (docs.opsgenie.com, "Alert API" and "Alerts and alert fields"): message 130 characters, alias 512, description
15,000, 20 tags of 50, details 8,000 in all, entity 512, source 100, note 25,000. A create of an alias whose alert is
open only counts up, so a change is told by its priority and a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from clew.model.incident import Notice, NoticeKind
from clew.model.rule import Severity
from clew.notify.channels import texts
from clew.notify.channels.keys import notice_key

_MESSAGE = 130
_DESCRIPTION = 15_000
_NOTE = 25_000
_TAG = 50
_ENTITY = 512
_DETAILS = 8_000
_DETAIL = 500
_USER = 100
_PRIORITIES = {Severity.CRITICAL: "P1", Severity.ERROR: "P2", Severity.WARNING: "P3", Severity.INFO: "P5"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A request below ``/v2/alerts``."""

    method: str
    path: str
    body: Json = field(default_factory=dict)


def build(notice: Notice, teams: Sequence[str] = ()) -> list[Request]:
    """The requests that tell it, in their order."""
    key = notice_key(notice)
    match notice.kind:
        case NoticeKind.ACKNOWLEDGED:
            return [_act(key, "acknowledge", notice, notice.incident.acknowledged_by)]
        case NoticeKind.RESOLVED:
            return [_act(key, "close", notice, notice.incident.resolved_by)]
        case NoticeKind.TEST:
            return [_create(notice, teams), _act(key, "close", notice, "")]
        case NoticeKind.OPENED | NoticeKind.ESCALATED | NoticeKind.UPDATED | NoticeKind.SUMMARY:
            if not notice.refs or notice.kind is NoticeKind.SUMMARY:
                return [_create(notice, teams)]
            return [_prioritise(key, notice), _act(key, "notes", notice, "")]


def priority(notice: Notice) -> str:
    """P1 for critical to P5 for info."""
    return "P5" if notice.kind is NoticeKind.TEST else _PRIORITIES[notice.incident.severity]


def _create(notice: Notice, teams: Sequence[str]) -> Request:
    labels = notice.incident.labels
    body = {
        "message": texts.cut(f"{texts.title(notice)}", _MESSAGE),
        "alias": notice_key(notice),
        "description": texts.cut(texts.plain(notice), _DESCRIPTION),
        "responders": [{"type": "team", "name": team} for team in teams],
        "tags": ["clew", texts.cut(texts.line(notice.incident.rule), _TAG)],
        "details": _details(notice),
        "entity": texts.cut(texts.line(labels.get("service", "") or labels.get("stage", "")), _ENTITY),
        "source": "clew",
        "priority": priority(notice),
    }
    return Request("POST", "", {name: value for name, value in body.items() if value})


def _act(key: str, action: str, notice: Notice, by: str) -> Request:
    body = {"source": "clew", "user": texts.cut(texts.line(by), _USER), "note": texts.cut(_note(notice), _NOTE)}
    return Request("POST", _of(key, action), {name: value for name, value in body.items() if value})


def _prioritise(key: str, notice: Notice) -> Request:
    return Request("PUT", _of(key, "priority"), {"priority": priority(notice)})


def _of(key: str, action: str) -> str:
    return f"/{quote(key, safe='')}/{action}?identifierType=alias"


def _note(notice: Notice) -> str:
    return texts.what_happened(notice)


def _details(notice: Notice) -> dict[str, str]:
    told, used = dict[str, str](), 0
    for name, value in (*texts.facts(notice), *sorted(notice.incident.labels.items())):
        short, cut = texts.cut(texts.line(name), _TAG), texts.cut(texts.line(value), _DETAIL)
        used += texts.length(short) + texts.length(cut)
        if used > _DETAILS:
            break
        told.setdefault(short, cut)
    return told
