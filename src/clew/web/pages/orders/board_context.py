"""What the stage board shows: a tile for each stage of a flow, in the flow's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from clew.model.flow import Flow, Stage
from clew.model.journey import VerdictKind
from clew.store.board import OPEN_KINDS, STRANGE_NAMES, BoardRow, Place
from clew.web.pages.orders.asked import Asked
from clew.web.words import order_href

BAD = (VerdictKind.LOST, VerdictKind.FAILED, VerdictKind.STUCK)
"""The verdicts that need somebody now."""

_BOARDS = 3
_TELLING = (*BAD, VerdictKind.IN_JEOPARDY, VerdictKind.ON_HOLD)
_NO_STAGE = "No stage known yet"
_STRANGE = "Not in the flow"


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose by a link: its ``label``, its ``href``, and whether it is ``chosen`` now."""

    label: str
    href: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a tile's orders: the verdict ``kind``, their ``count``, and where they lie in a bar of 100: from ``x``
    on, ``width`` wide."""

    kind: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class StageLink:
    """A stage that the flow doesn't know: its ``name`` and the ``href`` of its orders."""

    name: str
    href: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One stage of the board.

    ``name`` is the stage's, ``meaning`` what the flow says of it, ``href`` the list of its orders ('' where they can't
    be listed alone), ``chosen`` whether the list shows just these. ``open`` counts the open orders, ``worst`` is the
    worst verdict among them ('' without any). ``shares`` are all of them by verdict, worst first, ``telling`` those of
    them that say more than "on time". ``oldest_ns`` is for how long (ns) the one has been there that is there longest,
    holds included, ``oldest_href`` its page, ``median_ns`` for how long half of them have (ns); None without orders.
    ``strange`` are the stages meant where the flow doesn't know them, ``more`` is whether there are others.
    """

    name: str
    meaning: str = ""
    href: str = ""
    chosen: bool = False
    open: int = 0
    worst: str = ""
    shares: tuple[Share, ...] = ()
    telling: tuple[Share, ...] = ()
    oldest_ns: int | None = None
    oldest_href: str = ""
    median_ns: int | None = None
    strange: tuple[StageLink, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """The tiles of a flow.

    ``flow`` is its name, ``href`` the list of its orders, ``declared`` whether anybody declared it (else its stages
    stand in the order of their names), ``tiles`` are in the flow's order. ``ends`` lead to the orders that ended, by
    the stages in which they do.
    """

    flow: str
    href: str
    declared: bool
    tiles: tuple[Tile, ...]
    ends: tuple[Choice, ...]


def boards_of(rows: Sequence[BoardRow], flows: Sequence[Flow], asked: Asked, now_ns: int) -> tuple[Board, ...]:
    """The board of each flow that is declared or has open orders; of the chosen one alone, else of three at most.

    Flows in force come first; ``rows`` are those of `read_board` for the same filters.
    """
    declared = {flow.name: flow for flow in flows}
    names = [*declared, *sorted({row.flow for row in rows} - set(declared))]
    if asked.flow:
        names = [asked.flow]
    return tuple(
        _board([row for row in rows if row.flow == name], declared.get(name) or Flow(name, 0, ()), asked, now_ns)
        for name in names[:_BOARDS]
    )


def flow_names(rows: Iterable[BoardRow], flows: Iterable[Flow]) -> tuple[str, ...]:
    """The flows that are declared or have open orders."""
    declared = [flow.name for flow in flows]
    return (*declared, *sorted({row.flow for row in rows} - {*declared, ""}))


def _board(rows: Sequence[BoardRow], flow: Flow, asked: Asked, now_ns: int) -> Board:
    here = asked.but(flow=asked.flow and flow.name)
    found = {(row.place, row.stage): row for row in rows}
    stages = flow.stages or tuple(Stage(row.stage) for row in rows if row.place is Place.STAGE)
    tiles = []
    if row := found.get((Place.NO_STAGE, "")):
        other = here.but(stage="", no_stage=not here.no_stage)
        tiles.append(_filled(Tile(_NO_STAGE, href=other.href, chosen=here.no_stage), row, now_ns))
    tiles += [
        _tile(stage, found.get((Place.STAGE, stage.name)), here, now_ns) for stage in stages if not stage.terminal
    ]
    if row := found.get((Place.STRANGE, "")):
        tiles.append(_strange_tile(row, here, now_ns))
    ends = tuple(
        Choice(stage.name, here.but(stage=stage.name, no_stage=False, ended=True).href, asked.stage == stage.name)
        for stage in stages
        if stage.terminal
    )
    return Board(
        flow.name, asked.but(flow=flow.name, stage="", no_stage=False).href, bool(flow.stages), tuple(tiles), ends
    )


def _tile(stage: Stage, row: BoardRow | None, here: Asked, now_ns: int) -> Tile:
    chosen = here.stage == stage.name
    tile = Tile(stage.name, stage.meaning, here.but(stage="" if chosen else stage.name, no_stage=False).href, chosen)
    return tile if row is None else _filled(tile, row, now_ns)


def _strange_tile(row: BoardRow, here: Asked, now_ns: int) -> Tile:
    links = tuple(StageLink(name, here.but(stage=name, no_stage=False).href) for name in row.strange[:STRANGE_NAMES])
    more = len(row.strange) > STRANGE_NAMES
    return _filled(Tile(_STRANGE, chosen=here.stage in row.strange, strange=links, more=more), row, now_ns)


def _filled(tile: Tile, row: BoardRow, now_ns: int) -> Tile:
    shares = shares_of(row.counts)
    return replace(
        tile,
        open=row.open,
        worst=shares[0].kind,
        shares=shares,
        telling=tuple(share for share in shares if share.kind in _TELLING),
        oldest_ns=max(0, now_ns - row.oldest_ns),
        oldest_href=order_href(row.oldest_id),
        median_ns=max(0, now_ns - row.median_ns),
    )


def shares_of(counts: Mapping[VerdictKind, int]) -> tuple[Share, ...]:
    """Those of the verdicts that there are, worst first, laid out in a bar of 100."""
    there = [(kind, counts[kind]) for kind in OPEN_KINDS if counts.get(kind)]
    total = sum(count for _, count in there)
    ends = list(accumulate((100 * count / total for _, count in there), initial=0.0))
    return tuple(
        Share(kind.value, count, round(begin, 2), round(end - begin, 2))
        for (kind, count), begin, end in zip(there, ends, ends[1:], strict=False)
    )


def tells_counts(asked: Asked, flows: Iterable[Flow]) -> bool:
    """Whether the board for these filters tells how many orders of the list have each verdict."""
    asked_for = (flow for flow in flows if asked.flow in ("", flow.name))
    known = not asked.stage or all(flow.stage(asked.stage) for flow in asked_for)
    return asked.open_only and not (asked.at or asked.no_stage or asked.deviation) and known


def counts_of(rows: Iterable[BoardRow], stage: str) -> dict[VerdictKind, int]:
    """How many of the board's orders have each verdict; of one stage, or of all."""
    there = [row for row in rows if not stage or (row.place is Place.STAGE and row.stage == stage)]
    return {kind: sum(row.counts[kind] for row in there) for kind in OPEN_KINDS}
