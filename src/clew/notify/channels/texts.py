"""What a notice says, in words that all kinds of channels share. Pure; titles and reasons may hold anything."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import quote

from clew.model.incident import Incident, IncidentState, Notice, NoticeKind
from clew.model.lengths import how_long
from clew.notify.outlook import is_over

ORDERS_SHOWN = 10
TRACES_SHOWN = 3
REASONS_SHOWN = 5
_ID_SHOWN = 64

# What XML and JSON readers of vendors don't take: control characters but tab and line feed, and halves of pairs.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """The text without what can't be written in UTF-8 or shown."""
    return _UNFIT.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def line(text: str) -> str:
    """The text on one line."""
    return " ".join(clean(text).split())


def length(text: str) -> int:
    """How long vendors find a text that count UTF-16 units, as JavaScript and Java do: never less than code points."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def cut(text: str, most: int) -> str:
    """At most so many UTF-16 units of a text; what was cut is marked by an ellipsis."""
    if length(text) <= most:
        return text
    kept = text[: max(most - 1, 0)]
    while length(kept) > most - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def moment(at_ns: int) -> str:
    """A moment as people write it, in UTC."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at_ns: int) -> str:
    """A moment as RFC 3339 writes it, in UTC, to the millisecond."""
    at = datetime.fromtimestamp(at_ns // 10**9, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns // 10**6 % 1000:03d}Z"


def title(notice: Notice) -> str:
    """What it is about, on one line."""
    return line(notice.incident.title) or line(notice.incident.rule) or "Incident"


def what_happened(notice: Notice) -> str:
    """Why the channel is told, as one sentence."""
    incident = notice.incident
    match notice.kind:
        case NoticeKind.OPENED:
            told = f"{_owner(incident)} must act: nobody has acknowledged this yet."
        case NoticeKind.ESCALATED:
            told = _escalated(notice)
        case NoticeKind.UPDATED:
            told = "It changed."
        case NoticeKind.ACKNOWLEDGED:
            told = f"{line(incident.acknowledged_by) or 'Somebody'} is looking into it."
        case NoticeKind.RESOLVED:
            told = f"Resolved by {line(incident.resolved_by) or 'clew'} after {lasted(notice)}."
        case NoticeKind.SUMMARY:
            told = "Several incidents are told at once, as there are many."
        case NoticeKind.TEST:
            told = "This is a test of Clew's notices; nothing is wrong."
    return " ".join(filter(None, (told, line(notice.text))))


def _escalated(notice: Notice) -> str:
    """Who must act, and why more people are called; an acknowledgement that went stale isn't one that never came."""
    incident = notice.incident
    must_act = f"{_owner(incident)} must act"
    if by := line(incident.acknowledged_by):
        return f"{must_act}." if line(notice.text) else f"{by} acknowledged it, but it goes on: {must_act}."
    waited = how_long(notice.at_ns - incident.opened_ns)
    # A name stands as it is written; "whoever" follows a colon.
    return f"Nobody has acknowledged this for {waited}: {must_act if incident.owner else must_act.lower()}."


def lasted(notice: Notice) -> str:
    """How long it has held, or held until it was resolved."""
    incident = notice.incident
    return how_long((incident.resolved_ns or notice.at_ns) - incident.since_ns)


def state(incident: Incident) -> str:
    """Where the incident stands, in words."""
    match incident.state:
        case IncidentState.OPEN:
            return "open"
        case IncidentState.ACKNOWLEDGED:
            return f"acknowledged by {line(incident.acknowledged_by) or 'somebody'}"
        case IncidentState.RESOLVED:
            return f"resolved by {line(incident.resolved_by) or 'clew'}"


def how_many(notice: Notice) -> str:
    """How much is concerned."""
    incident, parts = notice.incident, []
    if notice.orders:
        parts.append(f"{notice.orders} order{'s' if notice.orders != 1 else ''}")
    if incident.state is not IncidentState.RESOLVED:
        parts.append(f"{incident.firing} of {incident.alerts} alert{'s' if incident.alerts != 1 else ''} firing")
    else:
        parts.append(f"{incident.alerts} alert{'s' if incident.alerts != 1 else ''}")
    return ", ".join(parts)


def _owner(incident: Incident) -> str:
    return line(incident.owner) or "Whoever reads this"


def who_must_act(incident: Incident) -> str:
    """The owner that the rule names."""
    return line(incident.owner) or "nobody is named as owner"


def order_ids(notice: Notice) -> list[str]:
    """Some of its orders."""
    return [cut(line(each), _ID_SHOWN) for each in notice.order_ids[:ORDERS_SHOWN]]


def orders_left(notice: Notice) -> int:
    """How many orders there are beside those shown."""
    return max(notice.orders - len(notice.order_ids[:ORDERS_SHOWN]), 0)


def trace_ids(notice: Notice) -> list[str]:
    """Some of its traces, first the best."""
    return [cut(line(each), _ID_SHOWN) for each in notice.trace_ids[:TRACES_SHOWN]]


def reasons(notice: Notice) -> list[str]:
    """Why it holds, in sentences: that of the incident, then of some of its alerts; of one that is over, what was."""
    told = [line(each) for each in (notice.incident.reason, *notice.reasons)]
    shown = list(dict.fromkeys(filter(None, told)))[: REASONS_SHOWN + 1]
    return [f"Before: {each}" for each in shown] if is_over(notice.incident) else shown


def facts(notice: Notice) -> list[tuple[str, str]]:
    """What people need to know, as names and values; empty ones are left out."""
    incident = notice.incident
    if notice.kind in (NoticeKind.SUMMARY, NoticeKind.TEST):
        return []
    shown = ", ".join(order_ids(notice))
    left = f" and {orders_left(notice)} more" if shown and orders_left(notice) else ""
    told = [
        ("Severity", incident.severity.value),
        ("Since", f"{moment(incident.since_ns)} ({lasted(notice)})"),
        ("How many", how_many(notice)),
        ("Who must act", who_must_act(incident)),
        ("State", state(incident)),
        ("Orders", shown + left),
        ("Traces", ", ".join(trace_ids(notice))),
        ("Runbook", link(incident.runbook) or line(incident.runbook)),
        ("Incident", f"{incident.id} of rule {line(incident.rule)}"),
        ("Page", link(notice.url)),
    ]
    return [(name, value) for name, value in told if value]


def plain(notice: Notice) -> str:
    """The whole notice as text of several lines."""
    parts = [title(notice), "", what_happened(notice)]
    if told := reasons(notice):
        parts += ["", *told]
    if told_facts := facts(notice):
        parts += ["", *(f"{name}: {value}" for name, value in told_facts)]
    elif link(notice.url):
        parts += ["", link(notice.url)]
    return "\n".join(parts)


def link(url: str) -> str:
    """The address when a browser may follow it, with what could end a link early written in percents; else empty."""
    if not re.match(r"https?://[^/\s]", url):
        return ""
    return quote(clean(url), safe=":/?#[]@!$&()*+,;=%~-._")
