"""Events of PagerDuty's Events API v2. Pure.

Limits (developer.pagerduty.com, "Send an event"): summary 1,024 characters, dedup key 255, an event 512 kB; severity is
critical, error, warning or info. Events of one dedup key belong to one alert until it is resolved.
"""

from __future__ import annotations

from typing import Any

from clew.model.incident import Notice, NoticeKind
from clew.model.rule import Severity
from clew.notify.channels import texts
from clew.notify.channels.keys import notice_key

_SUMMARY = 1_024
_DETAIL = 4_000
_SHORT = 255
_ACTIONS = {NoticeKind.ACKNOWLEDGED: "acknowledge", NoticeKind.RESOLVED: "resolve"}

Json = dict[str, Any]


def build(notice: Notice) -> Json:
    """The event, all but its routing key."""
    action = _ACTIONS.get(notice.kind, "trigger")
    event: Json = {"event_action": action, "dedup_key": notice_key(notice)}
    if action != "trigger":
        return event
    event |= {"client": "Clew", "payload": _payload(notice), "links": _links(notice)}
    return event | ({"client_url": texts.link(notice.url)} if texts.link(notice.url) else {})


def build_end(notice: Notice) -> Json:
    """Resolves what a test triggered, so that nobody has to."""
    return {"event_action": "resolve", "dedup_key": notice_key(notice)}


def _payload(notice: Notice) -> Json:
    incident, labels = notice.incident, notice.incident.labels
    severity = Severity.INFO if notice.kind is NoticeKind.TEST else incident.severity
    reason = texts.reasons(notice)
    payload = {
        "summary": texts.cut(": ".join([texts.title(notice), *reason[:1]]), _SUMMARY),
        "source": texts.cut(texts.line(labels.get("service", "") or labels.get("queue", "")) or "clew", _SHORT),
        "severity": severity.value,
        "timestamp": texts.iso(incident.since_ns or notice.at_ns),
        "component": texts.cut(texts.line(labels.get("stage", "")), _SHORT),
        "group": texts.cut(texts.line(labels.get("flow", "")), _SHORT),
        "class": texts.cut(texts.line(incident.rule), _SHORT),
        "custom_details": _details(notice),
    }
    return {name: value for name, value in payload.items() if value}


def _details(notice: Notice) -> Json:
    told = {"What happened": texts.cut(texts.what_happened(notice), _DETAIL)}
    told |= {name: texts.cut(value, _DETAIL) for name, value in texts.facts(notice)}
    told |= {"Why": texts.cut("\n".join(texts.reasons(notice)), _DETAIL)}
    labels = list(notice.incident.labels.items())[:20]
    return told | {f"Label {texts.cut(texts.line(k), _SHORT)}": texts.cut(texts.line(v), _DETAIL) for k, v in labels}


def _links(notice: Notice) -> list[Json]:
    found = ((notice.url, "Incident in Clew"), (notice.incident.runbook, "Runbook"))
    return [{"href": link, "text": words} for url, words in found if (link := texts.link(url))]
