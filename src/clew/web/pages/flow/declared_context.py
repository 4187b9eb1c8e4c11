"""The declared flow, and where it and what happens differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.api.flows import AcceptanceModel
from clew.api.learn_models import DifferenceModel
from clew.model.flow import ANY_PATH, Flow, Stage
from clew.store.flows import AppliedFlow
from clew.web import words
from clew.web.pages.flow.asked import Pairs
from clew.web.pages.flow.conformance_context import AcceptedRow, accepted_row
from clew.web.pages.flow.filters_context import Filters
from clew.web.pages.flow.links import stage_href, step_href

_ENDS = {"closed": "the order is done", "cancelled": "the order is cancelled"}


@dataclass(frozen=True, slots=True)
class LimitLine:
    """How long an order of a ``path`` (empty: of any other) may stay (``allowed_ns``, in nanoseconds), and from when on
    it is in jeopardy (``warn_ns``)."""

    path: str
    allowed_ns: int
    warn_ns: int


@dataclass(frozen=True, slots=True)
class StageCard:
    """A stage: its ``number`` in the flow's order, ``name`` and ``meaning``, the ``service`` that has the order there
    and the people who act for it (``owner``), its ``limits``, the stages that may come ``next``, and how it ``ends``
    an order (empty: it doesn't). ``entries`` are the paths that begin here, ``rules`` counts how many rules derive it
    from spans, ``href`` lists the orders in it."""

    number: int
    name: str
    meaning: str
    service: str
    owner: str
    limits: tuple[LimitLine, ...]
    next: tuple[str, ...]
    ends: str
    entries: tuple[str, ...]
    rules: int
    href: str


@dataclass(frozen=True, slots=True)
class VersionLine:
    """When a ``version`` of the flow was applied (``at_ns``), as which ``revision``; ``current``: it is in force."""

    version: int
    revision: int
    at_ns: int
    current: bool


@dataclass(frozen=True, slots=True)
class DeclaredPage:
    """The declared flow: its ``filters``, ``name``, ``version``, what an order is called in it (``singular``), its
    ``stages``, the paths with their first stages (``entries``), how long a message may travel by destination in ns
    (``transit``), how long a hold may last (``hold_ns``, None: for ever), how long before its due date an order is in
    jeopardy (``margin_ns``), what it accepts (``accepted``), its ``text`` and its ``versions``, the last first.
    ``known`` is whether anybody declared it."""

    filters: Filters
    known: bool
    name: str
    version: int
    singular: str
    stages: tuple[StageCard, ...]
    entries: tuple[tuple[str, tuple[str, ...]], ...]
    transit: tuple[tuple[str, int], ...]
    hold_ns: int | None
    margin_ns: int
    accepted: tuple[AcceptedRow, ...]
    text: str
    versions: tuple[VersionLine, ...]


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One difference: ``what`` it is about, how often that happened (``count``, None: never) in how many ``orders``, a
    ``remark``, and where more is told (``href``, empty: nowhere)."""

    what: str
    count: int | None
    orders: int
    remark: str
    href: str


@dataclass(frozen=True, slots=True)
class DiffPart:
    """Differences of one kind: their ``title``, what to do about them (``mend``), and the ``lines``."""

    title: str
    mend: str
    lines: tuple[DiffLine, ...]


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit beside what happens: of a ``stage`` and a ``path`` (empty: any other), ``allowed_ns`` by the flow
    (None: no limit), within ``learned_ns`` 95 % leave it (None: too many wait to tell). ``over`` is the share of
    visits beyond the limit (None: there is none), ``n`` visits have ended, ``thin`` says that these are few.
    ``verdict`` is a word on it."""

    stage: str
    path: str
    allowed_ns: int | None
    learned_ns: int | None
    over: float | None
    n: int
    thin: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class DiffPage:
    """The declared flow beside what happens: its ``filters``, how many ``orders`` were looked at, the ``parts`` in
    which both differ, and the ``limits``. ``known`` is whether anybody declared the flow, ``same`` that nothing
    differs."""

    filters: Filters
    known: bool
    orders: int
    parts: tuple[DiffPart, ...]
    limits: tuple[LimitRow, ...]
    same: bool


def declared_page(
    filters: Filters,
    flow: Flow | None,
    text: str,
    applied: Sequence[AppliedFlow],
    acceptances: Sequence[AcceptanceModel],
    now_ns: int,
) -> DeclaredPage:
    """The page of a declared flow; of one that nobody declared an empty one."""
    flow = flow or Flow(filters.flow, 0, ())
    versions = [each for each in applied if each.text]
    last = versions[-1].revision if versions else 0
    return DeclaredPage(
        filters=filters,
        known=bool(flow.stages),
        name=flow.name,
        version=flow.version,
        singular=flow.singular,
        stages=tuple(_stage(number, stage, flow) for number, stage in enumerate(flow.stages, 1)),
        entries=tuple((path, tuple(first)) for path, first in flow.paths.items()),
        transit=tuple(("" if name == ANY_PATH else name, limit) for name, limit in flow.transit_limits.items()),
        hold_ns=flow.hold_limit_ns,
        margin_ns=flow.due_margin_ns,
        accepted=tuple(accepted_row(each, (), now_ns) for each in acceptances),
        text=text,
        versions=tuple(
            VersionLine(each.version, each.revision, each.applied_ns, each.revision == last)
            for each in reversed(versions)
        ),
    )


def _stage(number: int, stage: Stage, flow: Flow) -> StageCard:
    return StageCard(
        number=number,
        name=stage.name,
        meaning=stage.meaning,
        service=stage.service,
        owner=stage.owner,
        limits=tuple(
            LimitLine("" if path == ANY_PATH else path, limit.allowed_ns, limit.warn_ns)
            for path, limit in stage.limits.items()
        ),
        next=stage.next,
        ends=_ENDS[stage.terminal.value] if stage.terminal else "",
        entries=tuple(path for path, first in flow.paths.items() if stage.name in first),
        rules=len(stage.rules),
        href=stage_href(flow.name, "", stage.name, ended=stage.terminal is not None),
    )


def diff_page(filters: Filters, found: DifferenceModel | None, pairs: Pairs) -> DiffPage:
    """The page of the differences; ``found`` is None where nobody declared the flow."""
    if found is None:
        return DiffPage(filters, False, 0, (), (), False)
    parts = tuple(part for part in _parts(found, list(pairs)) if part.lines)
    limits = tuple(
        LimitRow(
            stage=each.stage,
            path="" if each.path == ANY_PATH else each.path,
            allowed_ns=None if each.limit_s is None else round(each.limit_s * 1e9),
            learned_ns=None if each.learned_s is None else round(each.learned_s * 1e9),
            over=each.over,
            n=each.n,
            thin=each.thin,
            verdict=_verdict(each.limit_s, each.learned_s, each.over, each.thin),
        )
        for each in found.limits
    )
    return DiffPage(filters, True, found.orders, parts, limits, not parts)


def _verdict(limit_s: float | None, learned_s: float | None, over: float | None, thin: bool) -> str:
    """What a limit looks like beside the dwells."""
    if limit_s is None:
        return "no limit declared"
    if thin or learned_s is None or over is None:
        return "too few visits to tell"
    if over > 0.1:
        return "often passed: too short, or a bottleneck"
    return "far above what happens" if learned_s * 10 < limit_s else "fits"


def _parts(found: DifferenceModel, pairs: list[tuple[str, str]]) -> tuple[DiffPart, ...]:
    return (*_of_stages(found), *_of_entries(found), *_of_steps(found, pairs))


def _of_stages(found: DifferenceModel) -> tuple[DiffPart, DiffPart]:
    flow = found.asked.flow
    return (
        DiffPart(
            "Stages that the flow doesn't know",
            "declare them, or accept unknown_stage for them",
            tuple(
                DiffLine(each.stage, each.visits, each.orders, "", stage_href(flow, "", each.stage))
                for each in found.undeclared_stages
            ),
        ),
        DiffPart(
            "Stages that no order came to",
            "check that a service tells of them, or leave them out",
            tuple(DiffLine(each.stage, None, 0, "", "") for each in found.unseen_stages),
        ),
    )


def _of_entries(found: DifferenceModel) -> tuple[DiffPart, DiffPart]:
    return (
        DiffPart(
            "First stages that the flow doesn't allow",
            "add them to the path's entries, or see why these orders begin late",
            tuple(
                DiffLine(each.stage, each.orders, each.orders, f"path {each.path}" if each.path else "no path", "")
                for each in found.undeclared_entries
            ),
        ),
        DiffPart(
            "First stages that no order began with",
            "leave them out, or see whether the first event is told",
            tuple(DiffLine(each.stage, None, 0, f"path {each.path}", "") for each in found.unseen_entries),
        ),
    )


def _of_steps(found: DifferenceModel, pairs: list[tuple[str, str]]) -> tuple[DiffPart, DiffPart]:
    return (
        DiffPart(
            "Steps that the flow doesn't allow",
            "allow them as next, accept them for a time, or see why they happen",
            tuple(
                DiffLine(
                    f"{each.from_} → {each.to}",
                    each.count,
                    each.orders,
                    words.verdict(each.deviation) + (", accepted" if each.accepted else ""),
                    step_href(pairs, each.from_, each.to),
                )
                for each in found.undeclared_steps
            ),
        ),
        DiffPart(
            "Allowed steps that no order took",
            "nothing is wrong with them; leave them out when they can't happen",
            tuple(DiffLine(f"{each.from_} → {each.to}", None, 0, "", "") for each in found.unseen_steps),
        ),
    )
