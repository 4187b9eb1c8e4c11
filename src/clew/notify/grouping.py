"""What alerts have in common: the labels that make an incident, its key, its title and its reason in one sentence."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from clew.model.alert import Alert, Finding
from clew.model.journey import VerdictKind
from clew.model.lengths import how_long
from clew.model.rule import Deviates, InStage, Judged, NotReached, OnHold, ProjectedLate, Rule, TooEarly
from clew.notify.channels.texts import moment

LONGEST_KEY = 255
LONGEST_TITLE = 200
_NAMED = 3
_PLACE = re.compile(r"\{(\w+)\}")
_WAITS = (VerdictKind.STUCK.value, VerdictKind.IN_JEOPARDY.value)


def labels_of(rule: Rule, finding: Finding) -> dict[str, str]:
    """All labels of an alert: the rule's own, and over them what is known of the finding."""
    return {**rule.labels, **finding.labels}


def group_labels(rule: Rule, finding: Finding) -> dict[str, str]:
    """The labels that alerts of one incident share; one that isn't known, or is empty, is left out."""
    told = labels_of(rule, finding)
    return {name: told[name] for name in rule.group_by if told.get(name)}


def incident_key(rule: Rule, finding: Finding) -> str:
    """The key of the incident that an alert belongs to: ``stuck{"service":"crm-api","stage":"SUBMITTED"}``.

    The same rule and group labels give the same key, others another one, whatever they hold. At most 255 characters:
    the end of a longer one is its hash.
    """
    told = json.dumps(group_labels(rule, finding), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    key = json.dumps(rule.name)[1:-1] + told
    if len(key) <= LONGEST_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: LONGEST_KEY - len(digest) - 1]}#{digest}"


def title_of(rule: Rule, alerts: Sequence[Alert]) -> str:
    """The rule's title with the labels that it names in braces.

    A label that no alert has reads "an unknown stage", one that differs among them "several stages".
    """
    if rule.title:
        title = _PLACE.sub(lambda place: _filled(rule, alerts, place[1]), rule.title)
    else:
        told = group_labels(rule, alerts[0].finding) if alerts else {}
        words = ", ".join(f"{_words(name)} {text}" for name, text in told.items())
        title = f"{_words(rule.name)}: {words}" if words else _words(rule.name)
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1].rstrip() + "…"


def reason_of(rule: Rule, alerts: Sequence[Alert]) -> str:
    """Why there is an incident, as one sentence.

    ``312 orders stuck in SUBMITTED waiting for crm-api, the first since 2026-01-05 09:30:00 UTC, limit 30 min``; of a
    single alert what its finding says. It says since when, not for how long, so that it is right whenever it is read.
    """
    if len(alerts) == 1:
        return alerts[0].finding.reason
    if not alerts:
        return ""
    if all(alert.finding.order_id for alert in alerts):
        first = moment(min(alert.finding.since_ns for alert in alerts))
        return f"{len(alerts)} orders {_of_orders(rule, alerts)}, the first since {first}{_limit(alerts)}"
    oldest = min(alerts, key=lambda alert: (alert.finding.since_ns, alert.subject))
    others = [name_of(alert) for alert in alerts if alert is not oldest]
    return f"{oldest.finding.reason}; and {listed(others)}"


def owner_of(rule: Rule, alerts: Sequence[Alert]) -> str:
    """Who must act: whom the rule names, else whom all alerts agree on; empty when they don't."""
    owners = {alert.finding.owner for alert in alerts}
    return rule.owner or (owners.pop() if len(owners) == 1 else "")


def name_of(alert: Alert) -> str:
    """The subject without its kind: ``4711``, ``crm-api``."""
    return alert.finding.order_id or alert.subject.partition(":")[2] or alert.subject


def listed(names: Sequence[str]) -> str:
    """Some names and how many more there are."""
    shown, rest = names[:_NAMED], len(names) - _NAMED
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


def _filled(rule: Rule, alerts: Sequence[Alert], label: str) -> str:
    told = {labels_of(rule, alert.finding).get(label, "") for alert in alerts}
    if len(told) > 1:
        return f"several {_words(label)}s"
    text = next(iter(told), "")
    if text:
        return _words(text) if label in ("verdict", "lost_reason") else text
    return f"an unknown {_words(label)}"


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _shared(alerts: Sequence[Alert], label: str) -> str:
    """What all of them have, empty when they differ."""
    first = alerts[0].finding.labels.get(label, "")
    return first if all(alert.finding.labels.get(label, "") == first for alert in alerts) else ""


def _of_orders(rule: Rule, alerts: Sequence[Alert]) -> str:
    """What is the matter with orders, in the words of the rule's shape."""
    verdict, stage, service = (_shared(alerts, label) for label in ("verdict", "stage", "service"))
    place = f" in {stage}" if stage else ""
    waits = f" waiting for {service}" if service else ""
    match rule.shape:
        case Judged() if verdict == VerdictKind.LOST:
            reason, queue = _shared(alerts, "lost_reason"), _shared(alerts, "queue")
            return "lost" + (f" ({_words(reason)})" if reason else "") + (f" at {queue}" if queue else "")
        case Judged() if verdict in _WAITS:
            return f"{_words(verdict)}{place}{waits}"
        case Judged():
            return f"{_words(verdict) or 'in trouble'}{place}" + (f" at {service}" if service else "")
        case InStage():
            return f"too long{place}{waits}"
        case OnHold():
            return f"on hold{place}"
        case NotReached(stage=wanted):
            return f"have not reached {wanted}"
        case TooEarly(stage=reached):
            return f"reached {reached} too early"
        case ProjectedLate():
            return "will probably be late"
        case Deviates():
            return "left their flow"
    return f"concerned{place}"


def _limit(alerts: Sequence[Alert]) -> str:
    bounds = {alert.finding.bound if _is_dwell(alert.finding) else None for alert in alerts}
    bound = bounds.pop() if len(bounds) == 1 else None
    return f", limit {how_long(int(bound * 10**9))}" if bound else ""


def _is_dwell(finding: Finding) -> bool:
    return finding.value is not None and finding.bound is not None and 0 < finding.bound <= finding.value
