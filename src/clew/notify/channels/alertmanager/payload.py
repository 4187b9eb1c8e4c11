"""Alerts of Alertmanager's API v2. Pure.

Its OpenAPI file: an array of objects with ``labels`` (needed, with ``alertname``), ``annotations``, ``startsAt``,
``endsAt`` (RFC 3339) and ``generatorURL``. Names of labels are ``[a-zA-Z_][a-zA-Z0-9_]*``. Equal labels are the same
alert. An alert whose ``endsAt`` has passed is resolved; Alertmanager does so by itself when nobody tells it again, so
alerts end some minutes after Clew does. ``endsAt`` is four rounds of telling ahead, as Prometheus has it.
"""

from __future__ import annotations

import re
from typing import Any

from clew.model.incident import IncidentState, Notice, NoticeKind
from clew.model.rule import Severity
from clew.notify.channels import texts

ROUNDS = 4
_VALUE = 1_000
_ANNOTATION = 8_000
_TEST_NS = 60 * 10**9

Json = dict[str, Any]


def build(notice: Notice, now_ns: int, remind_every_ns: int) -> list[Json]:
    """The alert of an incident, and, when its severity changed, the end of the one it was before.

    ``refs`` hold the severity that was told last: it is a label, so another one is another alert.
    """
    before = notice.refs.get("severity", "")
    alerts = [_alert(notice, notice.incident.severity, _ends_ns(notice, now_ns, remind_every_ns))]
    if before in set(Severity) and before != notice.incident.severity:
        alerts.append(_alert(notice, Severity(before), now_ns))
    return alerts


def _ends_ns(notice: Notice, now_ns: int, remind_every_ns: int) -> int:
    if notice.kind is NoticeKind.TEST:
        return now_ns + _TEST_NS
    if notice.incident.state is IncidentState.RESOLVED:
        return min(notice.incident.resolved_ns or now_ns, now_ns)
    return now_ns + ROUNDS * remind_every_ns


def _alert(notice: Notice, severity: Severity, ends_ns: int) -> Json:
    incident = notice.incident
    starts_ns = min(incident.since_ns, ends_ns)
    alert: Json = {
        "labels": _labels(notice, severity),
        "annotations": _annotations(notice),
        "startsAt": texts.iso(starts_ns),
        "endsAt": texts.iso(ends_ns),
    }
    return alert | ({"generatorURL": texts.link(notice.url)} if texts.link(notice.url) else {})


def _labels(notice: Notice, severity: Severity) -> dict[str, str]:
    incident = notice.incident
    labels = {_name(name): _value(value) for name, value in incident.labels.items()}
    name = "ClewTest" if notice.kind is NoticeKind.TEST else _value(incident.rule) or "clew"
    # The number keeps two incidents of one kind apart, so that the end of one never ends the other.
    labels |= {"alertname": name, "severity": severity.value, "clew_incident": str(incident.id)}
    return {name: value for name, value in labels.items() if value}


def _annotations(notice: Notice) -> dict[str, str]:
    told = {
        "summary": texts.title(notice),
        "description": texts.plain(notice),
        "runbook_url": texts.link(notice.incident.runbook),
        "owner": texts.line(notice.incident.owner),
    }
    return {name: texts.cut(value, _ANNOTATION) for name, value in told.items() if value}


def _name(name: str) -> str:
    fit = re.sub(r"[^a-zA-Z0-9_]", "_", name)[:100] or "_"
    return f"_{fit}" if fit[0].isdigit() else fit


def _value(text: str) -> str:
    return texts.cut(texts.line(text), _VALUE)
