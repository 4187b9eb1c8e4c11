"""Histories for tests: made at random or told, put into a store, and counted by brute force."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.learn.seen import Counted, Dwells, Seen

SECOND = 10**9
START = 1_780_000_000 * SECOND


@dataclass(frozen=True)
class Order:
    """An order's imported rows: stage and seconds after START, in journey order."""

    order_id: str
    rows: tuple[tuple[str, float], ...]
    path: str = ""
    service: str = ""
    due_s: float | None = None


def at(seconds):
    return START + round(seconds * SECOND)


def remember(store, orders, flow=""):
    """Import these orders and rebuild them, as the API does."""
    book = FlowBook(store)
    book.start([])
    lines = b"".join(
        json.dumps([
            each.order_id, stage, at(seconds), each.path, each.service or f"svc-{stage[:1]}", "", "",
            0 if each.due_s is None else at(each.due_s), {},
        ]).encode() + b"\n"
        for each in orders
        for stage, seconds in each.rows
    )  # fmt: skip
    received_ns = time.time_ns()
    store.import_events(lines, flow, received_ns, f"learn-{received_ns}")
    Rebuilder(store, lambda: book.current).rebuild_whole(sorted({each.order_id for each in orders}))


def way_of(rows, kept, terminals):
    """Milestones by the words of the fold: runs collapsed, undeclared ones aside, cut at the first terminal stage."""
    way, before = [], None
    for stage, seconds in rows:
        if stage != before and (not kept or stage in kept):
            way.append((stage, seconds))
            if stage in terminals:
                break
        before = stage
    return way


def seen_of(orders, kept=(), terminals=None, until_s=None, flow="f"):
    """What `clew.learn.read` counts with the engine, counted here one by one."""
    terminals = terminals or {}
    ways = [(each, way_of(each.rows, kept, terminals)) for each in orders]
    ways = [(each, way) for each, way in ways if way]
    last = max((seconds for each in orders for _, seconds in each.rows), default=0)
    until = last if until_s is None else until_s
    visits, entered, starts, ends, steps, step_orders = (Counter() for _ in range(6))
    dwells = {}
    reporters = {}
    for order, way in ways:
        visits.update(stage for stage, _ in way)
        entered.update({stage for stage, _ in way})
        starts[order.path, way[0][0]] += 1
        ends[way[-1][0]] += 1
        pairs = [(a[0], b[0]) for a, b in pairwise(way) if a[0] != b[0]]
        steps.update(pairs)
        step_orders.update(set(pairs))
        for index, (stage, seconds) in enumerate(way):
            if stage in terminals:
                continue
            told = dwells.setdefault((order.path, stage), ([], []))
            over = index + 1 < len(way)
            left = way[index + 1][1] if over else until
            told[0 if over else 1].append(max(0.0, left - seconds))
    return Seen(
        flow=flow,
        orders=len(ways),
        sampled=len(ways),
        first_ns=min((at(order.rows[0][1]) for order, _ in ways), default=0),
        last_ns=at(last),
        stages={stage: Counted(visits[stage], entered[stage]) for stage in visits},
        paths=dict(Counter(order.path for order, _ in ways)),
        starts=dict(starts),
        ends=dict(ends),
        steps={pair: Counted(steps[pair], step_orders[pair]) for pair in steps},
        terminals=dict(terminals),
        reporters=reporters,
        dwells={key: Dwells(tuple(sorted(a)), tuple(sorted(b))) for key, (a, b) in dwells.items()},
    )


odd_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6) | st.sampled_from(
    [
        "SRM: Sent (a, b)",
        "null",
        "~",
        "a>b",
        "#x",
        "<<",
        "- a",
        "'",
        '"',
        "a\nb",
        " pad",
        "x" * 130,
        "{}",
        "*",
        "Überprüft ✓",
    ]
)
path_names = st.sampled_from(["", "web", "shop|x", "default"])
plain_names = st.sampled_from(["NEW", "PAID", "MADE", "SENT", "DONE", "CANCELLED", "RETURNED"])


@st.composite
def logs(draw, names=plain_names | odd_names, paths=path_names):
    """Orders with loops, repeats, gaps, several entries and exits, and ties of time."""
    pool = draw(st.lists(names, min_size=1, max_size=7, unique=True))
    orders = []
    for number in range(draw(st.integers(1, 25))):
        length = draw(st.integers(1, 8))
        stages = draw(st.lists(st.sampled_from(pool), min_size=length, max_size=length))
        gaps = draw(st.lists(st.integers(0, 5_000), min_size=length, max_size=length))
        moment = draw(st.integers(0, 1000))
        rows = []
        for stage, gap in zip(stages, gaps, strict=True):
            moment += gap
            rows.append((stage, moment))
        orders.append(Order(f"o{number}", tuple(rows), draw(paths)))
    return orders
