"""What the list of incidents shows: pure functions from what was read to a typed context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from clew.model.incident import Incident, IncidentState, PlannedSilence
from clew.model.rule import Severity
from clew.notify.figures import Figure
from clew.notify.outlook import stands
from clew.web.pages.incidents.asked import NOTHING_SENT, Sent

SHOWN = {
    "unresolved": (IncidentState.OPEN, IncidentState.ACKNOWLEDGED),
    "resolved": (IncidentState.RESOLVED,),
    "all": (),
}
"""The choices of the list, and the states that each of them shows (none: all)."""
_WORDS = {"unresolved": "Unresolved", "resolved": "Resolved", "all": "All"}


@dataclass(frozen=True, slots=True)
class Line:
    """An incident of the list.

    ``id`` is its number and ``href`` its page, ``title`` and ``reason`` what it is about. ``severity`` and ``state``
    are as stored. ``since_ns`` is since when it holds, ``opened_ns`` when it was opened, ``resolved_ns`` when it was
    resolved (None: it isn't); Unix ns. ``owner`` is who must act, ``holder`` who acknowledged or resolved it (empty:
    nobody). ``firing`` of its ``alerts`` hold now. ``quiet`` says why nobody is told of it (empty: somebody is),
    ``next_ns`` when the next one is told unless it is acknowledged (None: nobody).
    """

    id: int
    href: str
    title: str
    reason: str
    severity: str
    state: str
    since_ns: int
    opened_ns: int
    resolved_ns: int | None
    owner: str
    holder: str
    firing: int
    alerts: int
    quiet: str
    next_ns: int | None


@dataclass(frozen=True, slots=True)
class Time:
    """How long something took: ``name``, what it measures in words (``said``), over ``n`` incidents ``median_ns`` and
    ``p90_ns`` (None: of none)."""

    name: str
    said: str
    n: int
    median_ns: int | None
    p90_ns: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A part of the list: its ``label`` and ``href``, and whether it is ``chosen``."""

    label: str
    href: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class SilenceLine:
    """A silence: its number ``id``, the ``labels`` that it covers in words, from ``from_ns`` to ``until_ns`` (Unix ns),
    only in ``hours`` (empty: always), declared ``by`` somebody for a ``reason``; ``begun`` is whether it holds yet."""

    id: int
    labels: str
    from_ns: int
    until_ns: int
    hours: str
    by: str
    reason: str
    begun: bool


@dataclass(frozen=True, slots=True)
class IncidentsPage:
    """The page of incidents.

    ``open`` and ``acknowledged`` count those that aren't resolved, ``critical`` the critical ones of them. ``choices``
    are the parts of the list, ``rule`` the one it is limited to (empty: none) and ``without_rule`` the list of all
    rules. ``lines`` are the incidents, newest first, unresolved ones worst first; ``next`` leads to older ones (empty:
    none). ``times`` are how fast incidents of the last 30 days were found, taken and resolved. ``silences`` hold now or
    later. ``channels`` counts the places where people are told: none means that nobody is. ``rules`` counts the rules
    that watch, ``any`` is whether there ever was an incident. ``name`` is what the viewer called himself last, ``sent``
    a form of the page that couldn't be done. ``unseen`` says what isn't looked at now, and why (none: all is).
    """

    open: int
    acknowledged: int
    critical: int
    choices: tuple[Choice, ...]
    rule: str
    without_rule: str
    lines: tuple[Line, ...]
    next: str
    times: tuple[Time, ...]
    silences: tuple[SilenceLine, ...]
    channels: int
    rules: int
    any: bool
    name: str
    unseen: tuple[str, ...] = ()
    sent: Sent = NOTHING_SENT


@dataclass(frozen=True, slots=True)
class Read:
    """What was read for the list: ``incidents`` as asked for, all ``unresolved`` ones, how long things took
    (``detect``, ``acknowledge``, ``resolve``), the ``silences``, how many ``channels`` and ``rules`` there are, and
    what isn't looked at (``unseen``)."""

    incidents: Sequence[Incident]
    unresolved: Sequence[Incident]
    detect: Figure
    acknowledge: Figure
    resolve: Figure
    silences: Sequence[PlannedSilence]
    channels: int
    rules: int
    any: bool
    name: str
    unseen: Sequence[str]
    now_ns: int


def incidents_page(shown: str, rule: str, more: bool, read: Read) -> IncidentsPage:
    """The page for a part of the list; ``more``: older ones follow."""
    incidents = sorted(read.incidents, key=_worst_first) if shown == "unresolved" else list(read.incidents)
    lines = tuple(line_of(each, read.now_ns) for each in incidents)
    oldest = min((each.id for each in read.incidents), default=0)
    return IncidentsPage(
        open=sum(each.state is IncidentState.OPEN for each in read.unresolved),
        acknowledged=sum(each.state is IncidentState.ACKNOWLEDGED for each in read.unresolved),
        critical=sum(each.severity is Severity.CRITICAL for each in read.unresolved),
        choices=tuple(Choice(_WORDS[each], _href(each, rule), each == shown) for each in SHOWN),
        rule=rule,
        without_rule=_href(shown, ""),
        lines=lines,
        next=_href(shown, rule, str(oldest)) if more else "",
        times=(
            Time("Found", "from when it began to hold to its alert", *_told(read.detect)),
            Time("Taken", "from its alert to somebody's acknowledgement", *_told(read.acknowledge)),
            Time("Resolved", "from its alert to its resolution", *_told(read.resolve)),
        ),
        silences=tuple(silence_line(each, read.now_ns) for each in read.silences),
        channels=read.channels,
        rules=read.rules,
        any=read.any,
        name=read.name,
        unseen=tuple(read.unseen),
    )


def line_of(incident: Incident, now_ns: int) -> Line:
    """An incident in a line, as it stands now."""
    return Line(
        id=incident.id,
        href=incident_href(incident.id),
        title=incident.title,
        reason=stands(incident, now_ns),
        severity=incident.severity.value,
        state=incident.state.value,
        since_ns=incident.since_ns,
        opened_ns=incident.opened_ns,
        resolved_ns=incident.resolved_ns,
        owner=incident.owner,
        holder=incident.resolved_by or incident.acknowledged_by,
        firing=incident.firing,
        alerts=incident.alerts,
        quiet=quiet_words(incident),
        next_ns=incident.step_at_ns,
    )


def quiet_words(incident: Incident) -> str:
    """Why nobody is told of an incident; empty when somebody is."""
    if incident.state is IncidentState.RESOLVED:
        return ""
    if incident.explained_by is not None:
        return f"explained by incident {incident.explained_by}"
    return "silenced" if incident.silenced else ""


def incident_href(incident_id: int) -> str:
    """The page of an incident."""
    return f"/incidents/{incident_id}"


def silence_line(silence: PlannedSilence, now_ns: int) -> SilenceLine:
    """A silence in a line."""
    return SilenceLine(
        id=silence.id,
        labels=label_words(silence.labels),
        from_ns=silence.from_ns,
        until_ns=silence.until_ns,
        hours=silence.hours.name if silence.hours else "",
        by=silence.by,
        reason=silence.reason,
        begun=silence.from_ns <= now_ns,
    )


def label_words(labels: Mapping[str, str]) -> str:
    """Labels in one line, the rule first: ``rule stuck, stage SUBMITTED``."""
    names = sorted(labels, key=lambda name: (name != "rule", name))
    return ", ".join(f"{name.replace('_', ' ')} {labels[name]}" for name in names)


def _worst_first(incident: Incident) -> tuple[bool, int, int]:
    """Those that tell somebody first, then by severity, then the oldest."""
    return bool(quiet_words(incident)), list(Severity).index(incident.severity), incident.opened_ns


def _told(figure: Figure) -> tuple[int, int | None, int | None]:
    return figure.n, figure.median_ns, figure.p90_ns


def _href(shown: str, rule: str, after: str = "") -> str:
    given = {"show": "" if shown == "unresolved" else shown, "rule": rule, "after": after}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/incidents?{query}" if query else "/incidents"
