"""A few watched orders: one that was on hold for ten minutes and moved on, one that waits, one that is on hold."""

from __future__ import annotations

import time

from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from tests.builders import ingest, logs, stage_event

MINUTE = 60 * 10**9


def watched(store):
    """Write them, bring the journeys up to date, and return the moment they are told at."""
    now = time.time_ns()
    book = FlowBook(store)
    book.start([])
    begin = now - 120 * MINUTE
    ingest(
        store, now,
        logs(
            "shop-api",
            stage_event("w1", "SUBMITTED", begin, order__path="b2c", order__alias__deal="D1"),
            stage_event("w1", "", begin + 10 * MINUTE, order__hold=True),
            stage_event("D1", "", begin + 20 * MINUTE, order__hold=False),
            stage_event("w2", "SUBMITTED", now - 5 * MINUTE, order__path="b2c"),
            stage_event("w3", "SUBMITTED", now - 60 * MINUTE, order__path="b2c"),
            stage_event("D3", "", now - 30 * MINUTE, order__hold=True),
            stage_event("w3", "", now - 60 * MINUTE, order__alias__deal="D3"),
        ),
        logs("mes-api", stage_event("D1", "PRICE_CALCULATED", begin + 60 * MINUTE)),
    )  # fmt: skip
    Ticker(store, Rebuilder(store, lambda: book.current), time.time_ns).tick()
    return now
