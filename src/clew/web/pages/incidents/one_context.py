"""What the page of one incident shows: pure functions from what was read to a typed context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from clew.control.contract import Told
from clew.model.alert import Alert, AlertPhase
from clew.model.incident import Incident, IncidentState, Transition
from clew.model.reaction import ReactionRun, RunState
from clew.notify.silences import labels_to_silence
from clew.store.minutes import REQUESTS, Counts, Window, Work
from clew.web.pages.incidents.asked import NOTHING_SENT, Sent
from clew.web.pages.incidents.list_context import Line, line_of
from clew.web.pictures.axes import Unit
from clew.web.pictures.series import Chart, Series, stacked, time_axis
from clew.web.words import order_href, service_href

ORDERS_SHOWN = 50
_TRACES_SHOWN = 10
_OTHERS_SHOWN = 20
_SLOTS = 60


@dataclass(frozen=True, slots=True)
class Label:
    """A label of the incident: its ``name``, its ``value``, and ``href`` (empty: nowhere to go)."""

    name: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What one alert is about: its ``name`` and ``href`` (empty: no page), the ``reason`` it gave, since when it holds
    (``since_ns``, Unix ns), whether it still ``fires``, and its best ``trace`` (empty: none)."""

    name: str
    href: str
    reason: str
    since_ns: int
    fires: bool
    trace: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the record: ``at_ns`` (Unix ns), what happened (``kind`` and its ``words``), ``by`` whom, and the
    ``text`` that was said."""

    at_ns: int
    kind: str
    words: str
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """What a ``channel`` was told at ``at_ns`` (Unix ns): ``kind``, and ``state`` in words with its ``error`` (empty:
    none). ``bad`` is whether it never got there."""

    channel: str
    at_ns: int
    kind: str
    state: str
    error: str
    bad: bool


@dataclass(frozen=True, slots=True)
class RunLine:
    """An automated action: the ``reaction``, its ``target``, the ``state`` and ``result`` in words, at ``at_ns`` (Unix
    ns). ``id`` is its number, ``waits`` whether somebody has to allow or refuse it, ``by`` who allowed it (empty:
    nobody had to), ``sign`` the shape beside its state."""

    id: int

    reaction: str
    target: str
    state: str
    result: str
    at_ns: int
    waits: bool
    by: str
    sign: str


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """The page of one incident.

    ``line`` is the incident as in the list, ``rule`` the name of its rule, ``labels`` what its alerts share,
    ``runbook`` the address of what to do (empty: none) and ``runbook_href`` the same where it can be followed.
    ``policy`` is who is told by, with who was told and who is next. ``open`` and ``taken`` say where it stands: not
    resolved, acknowledged. ``orders`` are some of its orders, ``more_orders`` counts the others; ``others`` are alerts
    about no order. ``traces`` are the best evidence. ``root`` is the incident that explains it (None: none),
    ``explains`` are those that it explains.
    ``record`` is what happened, newest first, ``notices`` what channels were told, ``runs`` automated actions,
    the latest first.
    ``firing`` counts alerts over the time around it, ``requests`` what the ``service`` was asked for then (None: no
    service, or nothing); ``service_href`` is its page. ``name`` is what the viewer called himself last,
    ``silence_labels`` what a silence from here would cover, in words. ``sent`` is a form of the page that couldn't be
    done.
    """

    line: Line
    rule: str
    labels: tuple[Label, ...]
    runbook: str
    runbook_href: str
    policy: str
    open: bool
    taken: bool
    orders: tuple[Subject, ...]
    more_orders: int
    others: tuple[Subject, ...]
    traces: tuple[str, ...]
    root: Line | None
    explains: tuple[Line, ...]
    record: tuple[Entry, ...]
    notices: tuple[NoticeLine, ...]
    runs: tuple[RunLine, ...]
    firing: Chart
    service: str
    service_href: str
    requests: Chart | None
    name: str
    silence_labels: str
    sent: Sent = NOTHING_SENT


@dataclass(frozen=True, slots=True)
class Whole:
    """What was read of one incident: it and its ``alerts``, ``record``, what channels were ``told``, in words
    (``escalation``) who is next, automated ``runs``, its ``root`` and those it ``explains``, and what its service was
    asked for in ``window`` (``counts``)."""

    incident: Incident
    alerts: Sequence[Alert]
    record: Sequence[Transition]
    told: Sequence[Told]
    escalation: str
    runs: Sequence[ReactionRun]
    root: Incident | None
    explains: Sequence[Incident]
    window: Window
    counts: Sequence[dict[Work, Counts]]
    name: str
    zone: ZoneInfo


def incident_page(whole: Whole) -> IncidentPage:
    """The page of an incident."""
    incident, now_ns = whole.incident, whole.window.now_ns
    subjects = [(each, subject_of(each)) for each in whole.alerts]
    orders = [subject for alert, subject in subjects if alert.finding.order_id]
    others = [subject for alert, subject in subjects if not alert.finding.order_id]
    service = incident.labels.get("service", "")
    return IncidentPage(
        line=line_of(incident, now_ns),
        rule=incident.rule,
        labels=tuple(Label(name, value, _label_href(name, value)) for name, value in sorted(incident.labels.items())),
        runbook=incident.runbook,
        runbook_href=incident.runbook if urlsplit(incident.runbook).scheme in ("http", "https") else "",
        policy=f"{incident.policy}: {whole.escalation}" if incident.policy else "",
        open=incident.state is not IncidentState.RESOLVED,
        taken=incident.state is IncidentState.ACKNOWLEDGED,
        orders=tuple(orders[:ORDERS_SHOWN]),
        more_orders=len(orders) - len(orders[:ORDERS_SHOWN]) + max(0, incident.alerts - len(whole.alerts)),
        others=tuple(others[:_OTHERS_SHOWN]),
        traces=_traces(whole.alerts),
        root=line_of(whole.root, now_ns) if whole.root else None,
        explains=tuple(line_of(each, now_ns) for each in whole.explains),
        record=tuple(entry_of(each) for each in reversed(whole.record)),
        notices=tuple(notice_line(each) for each in whole.told),
        runs=run_lines(whole.runs),
        firing=_firing(whole),
        service=service,
        service_href=service_href(service) if service else "",
        requests=_requests(whole) if service and any(whole.counts) else None,
        name=whole.name,
        silence_labels=", ".join(f"{name} {value}" for name, value in labels_to_silence(incident).items()),
    )


def window_around(incident: Incident, now_ns: int) -> Window:
    """The time around an incident: from as long before it as it lasts, at least half an hour, to its end or now."""
    end_ns = min(now_ns, incident.resolved_ns or now_ns)
    before_ns = max(1_800 * 10**9, (end_ns - incident.since_ns) // 4)
    minute_ns = 60 * 10**9
    since_ns = (incident.since_ns - before_ns) // minute_ns * minute_ns
    step_ns = max(1, -(-(end_ns - since_ns) // (_SLOTS * minute_ns))) * minute_ns
    return Window(since_ns, step_ns, -(-(end_ns - since_ns) // step_ns), now_ns)


def subject_of(alert: Alert) -> Subject:
    """What an alert is about."""
    finding = alert.finding
    kind, _, name = alert.subject.partition(":")
    hrefs = {"service": service_href(name) if name else "", "queue": "/services#queues"}
    return Subject(
        name=finding.order_id or name or alert.subject,
        href=order_href(finding.order_id) if finding.order_id else hrefs.get(kind, ""),
        reason=finding.reason,
        since_ns=finding.since_ns,
        fires=alert.phase is AlertPhase.FIRING,
        trace=next(iter(finding.trace_ids), ""),
    )


def entry_of(transition: Transition) -> Entry:
    """An entry of the record."""
    kind = transition.kind.value
    return Entry(transition.at_ns, kind, kind.replace("_", " "), transition.by, transition.text)


_STATES = {"waiting": "waits", "sent": "told", "given_up": "never told", "summed": "told in a summary"}


def notice_line(told: Told) -> NoticeLine:
    """What a channel was told."""
    tries = f", {told.attempts} tries failed" if told.attempts and told.state == "waiting" else ""
    return NoticeLine(
        channel=told.channel,
        at_ns=told.sent_ns or told.at_ns,
        kind=told.kind.value,
        state=_STATES.get(told.state, told.state) + tries,
        error=told.error if told.state != "sent" else "",
        bad=told.state == "given_up",
    )


_RUN_SIGNS = {
    RunState.FAILED: "failed",
    RunState.USELESS: "failed",
    RunState.WAITING_APPROVAL: "on_hold",
    RunState.HELPED: "closed",
    RunState.DONE: "closed",
    RunState.RUNNING: "on_time",
}


def run_lines(runs: Iterable[ReactionRun]) -> tuple[RunLine, ...]:
    """Automated actions in lines, the latest first."""
    return tuple(sorted(map(run_line, runs), key=lambda each: each.at_ns, reverse=True))


def run_line(run: ReactionRun) -> RunLine:
    """An automated action in a line."""
    waits = run.state is RunState.WAITING_APPROVAL
    return RunLine(
        id=run.id,
        reaction=run.reaction,
        target=run.target,
        state="waits for approval" if waits else run.state.value.replace("_", " "),
        result=run.result,
        at_ns=run.ended_ns or run.began_ns or run.at_ns,
        waits=waits,
        by=run.approved_by,
        sign=_RUN_SIGNS.get(run.state, "unknown"),
    )


def _label_href(name: str, value: str) -> str:
    match name:
        case "service":
            return service_href(value)
        case "stage" | "path" | "flow":
            return "/?" + urlencode([(name, value)])
        case "queue":
            return "/services#queues"
        case _:
            return ""


def _traces(alerts: Sequence[Alert]) -> tuple[str, ...]:
    found = dict.fromkeys(trace for each in alerts for trace in each.finding.trace_ids)
    return tuple(found)[:_TRACES_SHOWN]


def _firing(whole: Whole) -> Chart:
    """How many alerts fired at the end of each slot; of an incident of very many, those that were read."""
    window = whole.window
    ends = [min(window.since_ns + (slot + 1) * window.step_ns, window.now_ns) for slot in range(window.slots)]
    values = tuple(float(sum(_fires_at(each, end_ns) for each in whole.alerts)) or None for end_ns in ends)
    return stacked("Alerts that fire", time_axis(_borders(window), whole.zone), [Series("alerts", values, "tone-bad")],
                   Unit.COUNT)  # fmt: skip


def _fires_at(alert: Alert, at_ns: int) -> bool:
    return alert.fired_ns is not None and alert.fired_ns <= at_ns and (alert.ended_ns is None or at_ns < alert.ended_ns)


def _requests(whole: Whole) -> Chart:
    counts = [sum((slot.get(work, Counts()) for work in REQUESTS), Counts()) for slot in whole.counts]
    good = tuple(float(each.spans - each.errors) or None for each in counts)
    bad = tuple(float(each.errors) or None for each in counts)
    series = [Series("without error", good, "c1"), Series("with error", bad, "tone-bad")]
    title = f"Requests of {whole.incident.labels['service']}"
    return stacked(title, time_axis(_borders(whole.window), whole.zone), series, Unit.COUNT)


def _borders(window: Window) -> list[int]:
    return [window.since_ns + slot * window.step_ns for slot in range(window.slots + 1)]
