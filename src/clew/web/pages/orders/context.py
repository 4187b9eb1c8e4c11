"""What the page of orders shows: pure functions from what was read to a typed context."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clew.api.order_line import OrderLine
from clew.journey.remarks import after_kind
from clew.journey.words import in_short
from clew.model.flow import Flow
from clew.model.journey import VerdictKind
from clew.store.board import OPEN_KINDS, BoardRow
from clew.store.views import SavedView
from clew.web.pages.orders.asked import FILTERS, Asked
from clew.web.pages.orders.board_context import BAD, Board, Choice, boards_of, flow_names
from clew.web.words import order_href

_ALIASES_SHOWN = 2
_ID_SHOWN = 64


@dataclass(frozen=True, slots=True)
class Chip:
    """A verdict to filter by: the ``kind``, the ``count`` of the orders that have it (None: not counted), ``href`` to
    show or not to show it, and whether it is ``chosen``."""

    kind: str
    count: int | None
    href: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """A filter that is on: its ``name``, its ``value``, and ``href``, the list without it."""

    name: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class View:
    """A saved view: its ``name``, its ``href``, and whether it is ``chosen``: what the page shows now."""

    name: str
    href: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One order of the list.

    ``key`` tells it from every other one, ``order_id`` is its id cut to a readable length and ``href`` its page.
    ``known_as`` are some of its other ids and ``user_id`` whose it is (as stored). ``kind`` is the verdict, ``reason``
    its sentence, ``owner`` who must act. ``flow``, ``path`` and ``stage`` say where it is. ``dwell_ns`` is its time in
    the stage without holds (None at its end and where nobody watches it), ``counting`` whether that goes on,
    ``limit_ns`` the limit of the stage (None without), ``used`` the share of it, ``warn`` the share from which it is in
    jeopardy. ``due_ns`` is when it is due, ``late_end_ns`` its projected end when that is later; Unix ns or None.
    """

    key: str
    order_id: str
    href: str
    known_as: tuple[str, ...]
    user_id: str
    kind: str
    reason: str
    owner: str
    flow: str
    path: str
    stage: str
    dwell_ns: int | None
    counting: bool
    limit_ns: int | None
    used: float | None
    warn: float
    due_ns: int | None
    late_end_ns: int | None


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """The page of orders.

    ``title`` is what orders are called. ``open`` counts the open orders of the board, ``bad`` those that are lost,
    failed or stuck, ``jeopardy`` those in jeopardy. ``boards`` are the stage boards (none for a past moment), ``flows``
    and ``paths`` the choices above them. ``asked`` are the filters, ``tags`` those of them that are on, ``chips`` the
    verdicts to filter by, ``stages`` the names to choose a stage from. ``rows`` are the orders, ``total`` how many
    there are over all pages (None: not counted), ``next`` and ``first`` the addresses of the next and the first page
    ('' without). ``views`` are the saved views. ``past_ns`` is the past moment shown (Unix ns) or None, ``now_href``
    the same list as of now. ``live`` is whether the page keeps itself up to date. ``empty`` says why there is no row:
    "" when there are some, else "nothing" (no order is known), "ended" (none is open) or "filters". ``cleared`` is the
    list without filters. ``masked`` is whether user ids are stored by their last characters only.
    """

    title: str
    open: int
    bad: int
    jeopardy: int
    boards: tuple[Board, ...]
    flows: tuple[Choice, ...]
    paths: tuple[Choice, ...]
    asked: Asked
    tags: tuple[Tag, ...]
    chips: tuple[Chip, ...]
    stages: tuple[str, ...]
    rows: tuple[Row, ...]
    total: int | None
    next: str
    first: str
    views: tuple[View, ...]
    past_ns: int | None
    now_href: str
    live: bool
    empty: str
    cleared: str
    masked: bool


@dataclass(frozen=True, slots=True)
class Read:
    """What was read for the page, all as of ``now_ns`` (Unix ns).

    ``lines`` are the orders, ``cursor`` tells where the next page begins (None: it is the last one), ``after`` where
    this one begins ('' for the first), ``counts`` how many there are by verdict, whatever verdicts are chosen (without
    those that weren't counted). ``board`` are the places with open orders, ``flows`` the flows in force, ``views`` the
    saved views, ``any_order`` whether any order is known, ``masked`` whether user ids are masked.
    """

    lines: Sequence[OrderLine]
    cursor: str | None
    after: str
    counts: Mapping[VerdictKind, int] | None
    board: Sequence[BoardRow]
    flows: Sequence[Flow]
    views: Sequence[SavedView]
    any_order: bool
    masked: bool
    now_ns: int


def orders_page(asked: Asked, read: Read) -> OrdersPage:
    """The page for these filters, of what was read for them."""
    boards = () if asked.at else boards_of(read.board, read.flows, asked, read.now_ns)
    sums: dict[VerdictKind, int] = {kind: sum(row.counts[kind] for row in read.board) for kind in OPEN_KINDS}
    rows = tuple(row_of(line, read.now_ns) for line in read.lines)
    chosen = [flow for flow in read.flows if flow.name == asked.flow] or list(read.flows)
    return OrdersPage(
        title=_title(chosen),
        open=sum(sums.values()),
        bad=sum(sums[kind] for kind in BAD),
        jeopardy=sums[VerdictKind.IN_JEOPARDY],
        boards=boards,
        flows=_flow_choices(asked, flow_names(read.board, read.flows)),
        paths=_path_choices(asked, chosen),
        asked=asked,
        tags=tags_of(asked),
        chips=chips_of(asked, read.counts),
        stages=_stages(asked, chosen),
        rows=rows,
        total=_total(asked, read.counts),
        next=_page_href(asked, read.cursor or ""),
        first=asked.href if read.after else "",
        views=views_of(asked, read.views),
        past_ns=read.now_ns if asked.at else None,
        now_href=asked.but(at="").href,
        live=not asked.at and not read.after,
        empty="" if rows else _why_empty(asked, read.any_order),
        cleared=Asked(ended=asked.ended).href,
        masked=read.masked,
    )


def row_of(line: OrderLine, now_ns: int) -> Row:
    """An order of the list."""
    journey, verdict, limit = line.journey, line.verdict, line.limit
    watched = journey.terminal is None and not journey.imported
    due_ns, end_ns = journey.due_at_ns, line.projected_end_ns
    return Row(
        key=hashlib.sha256(journey.order_id.encode()).hexdigest()[:12],
        order_id=cut(journey.order_id),
        href=order_href(journey.order_id),
        known_as=tuple(cut(value) for value in list(journey.aliases.values())[:_ALIASES_SHOWN]),
        user_id=cut(journey.user_id),
        kind=verdict.kind.value,
        reason=reason_of(line),
        owner=cut(verdict.owner),
        flow=cut(journey.flow),
        path=cut(journey.path),
        stage=cut(journey.stage),
        dwell_ns=line.dwell_ns if watched else None,
        counting=watched and not journey.on_hold,
        limit_ns=limit.allowed_ns if limit and watched else None,
        used=line.dwell_ns / limit.allowed_ns if limit and limit.allowed_ns and watched else None,
        warn=limit.warn_ns / limit.allowed_ns if limit and limit.allowed_ns else 1.0,
        due_ns=due_ns if watched else None,
        late_end_ns=end_ns if due_ns and end_ns and end_ns > max(due_ns, now_ns) else None,
    )


def reason_of(line: OrderLine) -> str:
    """The sentence of the verdict, without the word that the badge beside it says already."""
    return after_kind(line.verdict.kind.value, line.verdict.reason).lstrip(", ")


def cut(text: str) -> str:
    """Somebody else's text at a length that a list can show."""
    return text if len(text) <= _ID_SHOWN else in_short(text)[: _ID_SHOWN - 1] + "…"


def chips_of(asked: Asked, counts: Mapping[VerdictKind, int] | None) -> tuple[Chip, ...]:
    """The verdicts to filter by, worst first: those of ended orders only where these are listed."""
    kinds = [kind for kind in VerdictKind if kind in OPEN_KINDS or not asked.open_only or kind in asked.verdicts]
    return tuple(
        Chip(
            kind.value,
            None if counts is None else counts.get(kind, 0),
            asked.toggled(kind).href,
            kind in asked.verdicts,
        )
        for kind in kinds
    )


def tags_of(asked: Asked) -> tuple[Tag, ...]:
    """The filters that are on, but for the verdicts, which have chips."""
    texts = [(name, getattr(asked, name)) for name in FILTERS if getattr(asked, name)]
    tags = [Tag(_WORDS.get(name, name), cut(value), asked.but(**{name: ""}).href) for name, value in texts]
    if asked.no_stage:
        tags.append(Tag("stage", "none known yet", asked.but(no_stage=False).href))
    if asked.ended:
        tags.append(Tag("ended", "shown", asked.but(ended=False).href))
    return tuple(tags)


_WORDS = {"alias": "other id", "prefix": "begins with", "at": "as of"}


def views_of(asked: Asked, views: Iterable[SavedView]) -> tuple[View, ...]:
    """The saved views; the one that has just these filters is chosen."""
    return tuple(
        View(view.name, f"/?{view.filter}" if view.filter else "/", view.filter == asked.query) for view in views
    )


def _title(flows: Sequence[Flow]) -> str:
    words = {flow.plural for flow in flows}
    word = words.pop() if len(words) == 1 else "orders"
    return word[:1].upper() + word[1:]


def _flow_choices(asked: Asked, names: Sequence[str]) -> tuple[Choice, ...]:
    if len(names) < 2 and not asked.flow:
        return ()
    other = asked.but(stage="", no_stage=False, path="")
    every = Choice("All flows", other.but(flow="").href, not asked.flow)
    return (every, *(Choice(cut(name), other.but(flow=name).href, name == asked.flow) for name in names))


def _path_choices(asked: Asked, flows: Sequence[Flow]) -> tuple[Choice, ...]:
    names = list(dict.fromkeys(path for flow in flows for path in flow.paths))
    if asked.path and asked.path not in names:
        names.append(asked.path)
    if len(names) < 2 and not asked.path:
        return ()
    every = Choice("All paths", asked.but(path="").href, not asked.path)
    return (every, *(Choice(cut(name), asked.but(path=name).href, name == asked.path) for name in names))


def _stages(asked: Asked, flows: Sequence[Flow]) -> tuple[str, ...]:
    names = list(dict.fromkeys(stage.name for flow in flows for stage in flow.stages))
    return (*names, asked.stage) if asked.stage and asked.stage not in names else tuple(names)


def _total(asked: Asked, counts: Mapping[VerdictKind, int] | None) -> int | None:
    if counts is None:
        return None
    return sum(count for kind, count in counts.items() if not asked.verdicts or kind in asked.verdicts)


def _page_href(asked: Asked, cursor: str) -> str:
    if not cursor:
        return ""
    return f"{asked.href}{'&' if asked.query else '?'}after={cursor}"


def _why_empty(asked: Asked, any_order: bool) -> str:
    if not any_order:
        return "nothing"
    return "ended" if asked == Asked() else "filters"
