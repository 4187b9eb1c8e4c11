"""The JSON document of a webhook, and its signature. Pure. docs/tell-people.md describes both for receivers."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from clew.model.incident import Notice
from clew.model.secret import Secret
from clew.notify.channels import texts
from clew.notify.channels.keys import notice_key

VERSION = 1
_TEXT = 4_000
_ITEMS = 100
_NAME = 255


def build(notice: Notice) -> dict[str, Any]:
    """The document. Times are RFC 3339 in UTC; what isn't known is null or empty."""
    return {
        "version": VERSION,
        "id": notice.key,
        "kind": notice.kind.value,
        "at": texts.iso(notice.at_ns),
        "text": texts.cut(texts.what_happened(notice), _TEXT),
        "url": texts.link(notice.url),
        "incident": _incident(notice),
        "orders": {"count": notice.orders, "ids": [_name(each) for each in notice.order_ids[:_ITEMS]]},
        "traces": [_name(each) for each in notice.trace_ids[:_ITEMS]],
        "reasons": [texts.cut(texts.line(each), _TEXT) for each in notice.reasons[:_ITEMS]],
    }


def sign(body: bytes, now_ns: int, secret: Secret) -> str:
    """The value of ``Clew-Signature``: a time in Unix seconds, and HMAC-SHA256 over ``{time}.{body}``."""
    stamp = str(now_ns // 10**9)
    signed = hmac.new(secret.reveal().encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return f"t={stamp},v1={signed.hexdigest()}"


def _incident(notice: Notice) -> dict[str, Any]:
    incident = notice.incident
    return {
        "id": incident.id,
        "key": notice_key(notice),
        "rule": _name(incident.rule),
        "title": texts.cut(texts.title(notice), _TEXT),
        "severity": incident.severity.value,
        "state": incident.state.value,
        "labels": {_name(name): _name(value) for name, value in list(incident.labels.items())[:_ITEMS]},
        "owner": _name(incident.owner),
        "runbook": texts.link(incident.runbook),
        "reason": texts.cut(texts.line(incident.reason), _TEXT),
        "alerts": {"all": incident.alerts, "firing": incident.firing},
        "since": texts.iso(incident.since_ns),
        "opened": texts.iso(incident.opened_ns),
        "acknowledged": _moment(incident.acknowledged_ns),
        "acknowledged_by": _name(incident.acknowledged_by),
        "resolved": _moment(incident.resolved_ns),
        "resolved_by": _name(incident.resolved_by),
    }


def _name(text: str) -> str:
    return texts.cut(texts.line(text), _NAME)


def _moment(at_ns: int | None) -> str | None:
    return None if at_ns is None else texts.iso(at_ns)
