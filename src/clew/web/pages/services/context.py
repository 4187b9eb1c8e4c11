"""The contexts of the pages about services; built from what was read, without reading anything themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from clew.store.minutes import REQUESTS, Counts, Durations, ServiceMinutes, Window, Work, quantile
from clew.store.service_details import SLOW_NS, Operation, Queue, Statement
from clew.store.services import Edge, NodeKind
from clew.web.pages.services.drawing import Graph, Key, Words, graph, tone_of
from clew.web.pictures.axes import Unit, written
from clew.web.pictures.series import Chart, Series, lines, stacked, time_axis
from clew.web.time_range import CHOICES, TimeRange
from clew.web.words import iso, service_href
from clew.web.words import rate as rate_of


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A ``service`` in a table: ``rate`` of requests a minute, ``errors`` as a share of these (None: it was asked for
    nothing), ``p50_ns`` and ``p95_ns`` of them (None likewise), all its ``spans``, ``tone`` by its errors, ``href``."""

    service: str
    rate: float
    errors: float | None
    p50_ns: int | None
    p95_ns: int | None
    spans: int
    tone: str
    href: str


@dataclass(frozen=True, slots=True)
class CallLine:
    """Calls from ``caller`` to ``callee``: ``rate`` a minute, ``errors`` as a share, ``p95_ns`` (0: not known).

    ``kind`` says what is at the other end: service, queue (published) or message (taken), database. ``caller_href``,
    ``callee_href`` and ``href`` lead to the ends and to the spans (empty: nowhere). ``tone`` is by the errors.
    """

    caller: str
    callee: str
    kind: str
    rate: float
    errors: float
    p95_ns: int
    caller_href: str
    callee_href: str
    href: str
    tone: str


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A database ``statement`` of a ``service`` on an ``engine``: how many ``spans``, of which ``slow`` took longer
    than a second, ``errors``, ``p95_ns``, ``longest_ns``; ``href`` finds the slow ones, or all where none is slow."""

    service: str
    statement: str
    engine: str
    spans: int
    slow: int
    errors: int
    p95_ns: int
    longest_ns: int
    href: str


@dataclass(frozen=True, slots=True)
class OperationLine:
    """An operation by ``name`` and ``kind``: ``rate`` a minute, ``errors`` as a share, ``p50_ns``, ``p95_ns``, ``tone``
    by its errors; ``href`` finds its spans."""

    name: str
    kind: str
    rate: float
    errors: float
    p50_ns: int
    p95_ns: int
    tone: str
    href: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The chosen ``range`` of ``ranges`` (name, label), from ``from_ns`` to ``to_ns`` (Unix ns); ``to`` is its end as
    it was asked for (empty: now), ``query`` keeps the choice in links to other pages about services."""

    range: str
    ranges: tuple[tuple[str, str], ...]
    from_ns: int
    to_ns: int
    to: str
    query: str


@dataclass(frozen=True, slots=True)
class ServicesPage:
    """All services.

    ``chosen`` is the span of time; ``graph`` the picture (None: nothing ran), of a part of the time, one in ``one_in``;
    ``services``, ``calls``, ``slow`` statements of databases and ``queues`` are tables; ``more_calls`` are left out of
    the picture.
    """

    chosen: Chosen
    graph: Graph | None
    one_in: int
    services: tuple[ServiceLine, ...]
    calls: tuple[CallLine, ...]
    slow: tuple[StatementLine, ...]
    queues: tuple[Queue, ...]
    more_calls: int


@dataclass(frozen=True, slots=True)
class ServicePage:
    """One service.

    ``service`` is its name, ``chosen`` the span of time, ``line`` how it does (None: it did nothing in that time).
    ``rate``, ``failures`` and ``duration`` are charts; ``operations``, ``callers``, ``callees``, ``statements`` and
    ``queues`` are tables; calls and operations are of a part of the time, one in ``one_in``. ``traces_href`` finds its
    spans, ``failed_href`` those that failed, ``figures_href`` leads to its key figures.
    """

    service: str
    chosen: Chosen
    line: ServiceLine | None
    rate: Chart
    failures: Chart
    duration: Chart
    operations: tuple[OperationLine, ...]
    callers: tuple[CallLine, ...]
    callees: tuple[CallLine, ...]
    statements: tuple[StatementLine, ...]
    queues: tuple[Queue, ...]
    one_in: int
    traces_href: str
    failed_href: str
    figures_href: str


MOST_EDGES = 80
"""How many calls a picture shows, the most frequent ones; more can't be followed by eye."""


def chosen_of(range_: TimeRange, to: str) -> Chosen:
    """A span of time as pages show it."""
    window = range_.window
    kept = urlencode([("range", range_.name), *([("to", to)] if to else [])])
    return Chosen(range_.name, CHOICES, window.since_ns, window.until_ns, to, kept)


@dataclass(frozen=True, slots=True)
class Links:
    """Where things lead, keeping the span of time of ``chosen``."""

    chosen: Chosen

    def service(self, name: str) -> str:
        """The page of a service."""
        return f"{service_href(name)}?{self.chosen.query}"

    def spans(self, *wanted: tuple[str, str]) -> str:
        """The search for spans."""
        when = [("since", iso(self.chosen.from_ns)), ("until", iso(self.chosen.to_ns))]
        return "/traces?" + urlencode([("by", "span"), *(each for each in wanted if each[1]), *when])

    def end(self, kind: NodeKind, name: str) -> str:
        """An end of a call: services have a page, queues stand in the table of queues."""
        if kind is NodeKind.SERVICE:
            return self.service(name) if name else ""
        return "#queues" if kind is NodeKind.QUEUE else ""

    def call(self, edge: Edge) -> str:
        """The spans of a call."""
        if edge.caller_kind is NodeKind.QUEUE:
            return self.spans(("service", edge.callee), ("kind", "consumer"))
        if edge.callee_kind is NodeKind.QUEUE:
            return self.spans(("service", edge.caller), ("kind", "producer"))
        if edge.callee_kind is NodeKind.DATABASE:
            engine = edge.callee.partition(" ")[0]
            return self.spans(("service", edge.caller), ("attribute", f"db.system.name={engine}"))
        return self.spans(("caller", edge.caller), ("callee", edge.callee))


def services_page(
    range_: TimeRange,
    to: str,
    found: Sequence[ServiceMinutes],
    edges: Sequence[Edge],
    slow: Sequence[Statement],
    queues: Sequence[Queue],
    one_in: int,
) -> ServicesPage:
    """The page of all services."""
    chosen = chosen_of(range_, to)
    links, minutes = Links(chosen), range_.minutes
    shown = sorted(edges, key=lambda edge: -edge.calls)[:MOST_EDGES]
    by_name = {each.service: each for each in found}

    def words(key: Key) -> Words:
        return _words(key, by_name, links, minutes)

    return ServicesPage(
        chosen=chosen,
        graph=graph(shown, words, links.call, minutes, [each.service for each in found]) if found else None,
        one_in=one_in,
        services=tuple(_service(each, links, minutes) for each in found),
        calls=tuple(
            _call(each, links, minutes) for each in sorted(edges, key=lambda edge: (-edge.errors, -edge.calls))
        ),
        slow=tuple(_statement(each, links) for each in slow),
        queues=tuple(queues),
        more_calls=len(edges) - len(shown),
    )


def _words(key: Key, found: dict[str, ServiceMinutes], links: Links, minutes: float) -> Words:
    kind, name = key
    service = found.get(name) if kind is NodeKind.SERVICE else None
    if service is None:
        return Words("", None, links.end(kind, name))
    p95 = quantile(service.durations, 0.95)
    if not service.requests or p95 is None:
        return Words("asked for nothing", None, links.service(name))
    note = f"{rate_of(service.requests / minutes)}, p95 {written(p95, Unit.LENGTH)}"
    return Words(note, service.failed / service.requests, links.service(name))


def _service(found: ServiceMinutes, links: Links, minutes: float) -> ServiceLine:
    errors = found.failed / found.requests if found.requests else None
    return ServiceLine(
        service=found.service,
        rate=found.requests / minutes,
        errors=errors,
        p50_ns=quantile(found.durations, 0.5),
        p95_ns=quantile(found.durations, 0.95),
        spans=found.spans,
        tone=tone_of(errors),
        href=links.service(found.service),
    )


def _call(edge: Edge, links: Links, minutes: float) -> CallLine:
    errors = edge.errors / edge.calls if edge.calls else 0.0
    return CallLine(
        caller=edge.caller,
        callee=edge.callee,
        kind="message" if edge.caller_kind is NodeKind.QUEUE else edge.callee_kind.value,
        rate=edge.calls / minutes,
        errors=errors,
        p95_ns=edge.p95_ns,
        caller_href=links.end(edge.caller_kind, edge.caller),
        callee_href=links.end(edge.callee_kind, edge.callee),
        href=links.call(edge),
        tone=tone_of(errors),
    )


def _statement(found: Statement, links: Links) -> StatementLine:
    told = ("name", found.statement) if found.key == "name" else ("attribute", f"{found.key}={found.statement}")
    least = [("min_duration", f"{SLOW_NS // 10**6}ms")] if found.slow else []
    return StatementLine(
        service=found.service,
        statement=found.statement,
        engine=found.engine,
        spans=found.spans,
        slow=found.slow,
        errors=found.errors,
        p95_ns=found.p95_ns,
        longest_ns=found.longest_ns,
        href=links.spans(("service", found.service), told, *least),
    )


@dataclass(frozen=True, slots=True)
class Details:
    """What was read of one service: its ``totals`` (None: it did nothing), slot by slot its ``counts`` and
    ``durations``, its ``operations``, ``statements`` and ``queues``, and all ``edges``. Calls and operations
    are those of a part of the time, one in ``one_in``."""

    totals: ServiceMinutes | None
    counts: Sequence[dict[Work, Counts]]
    durations: Sequence[Durations]
    operations: Sequence[Operation]
    statements: Sequence[Statement]
    queues: Sequence[Queue]
    edges: Sequence[Edge]
    one_in: int


def service_page(range_: TimeRange, to: str, service: str, details: Details, zone: ZoneInfo) -> ServicePage:
    """The page of one service."""
    chosen = chosen_of(range_, to)
    links, minutes = Links(chosen), range_.minutes
    here = NodeKind.SERVICE, service
    rate, failures, duration = _charts(range_.window, details, zone)
    return ServicePage(
        service=service,
        chosen=chosen,
        line=_service(details.totals, links, minutes) if details.totals else None,
        rate=rate,
        failures=failures,
        duration=duration,
        operations=tuple(_operation(each, service, links, minutes) for each in details.operations),
        callers=tuple(_call(each, links, minutes) for each in details.edges if (each.callee_kind, each.callee) == here),
        callees=tuple(_call(each, links, minutes) for each in details.edges if (each.caller_kind, each.caller) == here),
        statements=tuple(_statement(each, links) for each in details.statements),
        queues=tuple(details.queues),
        one_in=details.one_in,
        traces_href=links.spans(("service", service)),
        failed_href=links.spans(("service", service), ("status", "error")),
        figures_href="/figures?" + urlencode([("service", service)]) + f"&{chosen.query}",
    )


def _operation(found: Operation, service: str, links: Links, minutes: float) -> OperationLine:
    errors = found.errors / found.spans
    return OperationLine(
        name=found.name,
        kind=found.kind.value,
        rate=found.spans / minutes,
        errors=errors,
        p50_ns=found.p50_ns,
        p95_ns=found.p95_ns,
        tone=tone_of(errors),
        href=links.spans(("service", service), ("name", found.name), ("kind", found.kind.value)),
    )


def _charts(window: Window, details: Details, zone: ZoneInfo) -> tuple[Chart, Chart, Chart]:
    """Rate, errors and duration of what it was asked for."""
    axis = time_axis([window.since_ns + slot * window.step_ns for slot in range(window.slots + 1)], zone)
    asked = [sum((slot.get(work, Counts()) for work in REQUESTS), Counts()) for slot in details.counts]
    rates = tuple(each.spans / window.slot_minutes(slot) if each.spans else None for slot, each in enumerate(asked))
    rate = lines("Requests a minute", axis, [Series("requests", rates)], Unit.NUMBER)
    failures = stacked(
        "Requests with errors", axis, [Series("errors", tuple(each.errors or None for each in asked), "tone-bad")],
        Unit.COUNT,
    )  # fmt: skip
    levels = (("p50", 0.5, "c1"), ("p95", 0.95, "c2"), ("p99", 0.99, "c3"))
    series = [Series(name, tuple(quantile(each, at) for each in details.durations), tone) for name, at, tone in levels]
    slowest = max((quantile(each, 0.99) or 0 for each in details.durations), default=0)
    bound = (float(SLOW_NS), "1 s") if slowest > SLOW_NS / 2 else None
    return rate, failures, lines("Duration", axis, series, Unit.LENGTH, bound=bound)
