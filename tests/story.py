"""A small shop's day in a store: one order for each verdict, told by spans, messages and stage events.

=====  ==============================================================================================
4711   stuck: SUBMITTED 50 min ago, allowed 30; the CRM calls it D77; its call to the CRM failed
4712   lost: its message was unroutable
4713   closed, after a rework; its message was redelivered and dead-lettered on the way
4714   on hold
4715   failed
b/16   on time; a slash in its id, and words in its error that a terminal would obey
=====  ==============================================================================================
"""

from __future__ import annotations

import time

from clew.api import ApiDeps
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.store.contract import Store
from tests.builders import ingest, logs, record, span, span_hex, stage_event, trace_hex, traces

MINUTE = 60 * 10**9
ESCAPE = "\x1b[31mred\x1b[0m [bold]"


def tell(store: Store, now_ns: int | None = None) -> ApiDeps:
    """Write the day into a fresh store and bring its journeys up to date; ends what the API needs to show it."""
    now = now_ns or time.time_ns()
    book = FlowBook(store)
    book.start([])
    ticker = Ticker(store, rebuilder := Rebuilder(store, lambda: book.current), time.time_ns)
    ingest(store, now, *_stuck(now), *_lost(now), *_closed(now), *_others(now))
    _say_lost(store, now)
    ticker.tick()
    return ApiDeps(store, book, Backfill(store, rebuilder), None, ticker, now_ns=lambda: now)


def _stuck(now: int):
    start = now - 50 * MINUTE
    shop = traces(
        "shop-api",
        span(1, 1, start, lasts_ms=900, name="POST /orders", kind="server", order__id="4711", user__id="anna-9931"),
        span(1, 2, start + 10**6, lasts_ms=300, name="POST", parent=1, kind="client", retry__count=2),
        span(
            1, 4, start + 2 * 10**6, name="INSERT", parent=1, kind="client", db__system__name="postgresql",
            db__namespace="shop", big=2**60, share=float("nan"), raw=b"\xff", many=[1, {"k": None}],
        ),
    )  # fmt: skip
    crm = traces(
        "crm-api",
        span(
            1, 3, start + 20 * 10**6, lasts_ms=250, name="POST /deals", parent=2, kind="server", status="error",
            error__type="TimeoutError", timeout=True,
            events=[("exception", start + 30 * 10**6, {"exception.message": "no answer"})], links=[(9, 1)],
        ),
    )  # fmt: skip
    said = logs(
        "shop-api",
        stage_event("4711", "INITIATED", start - 10 * MINUTE, order__path="b2c", user__id="anna-9931"),
        stage_event("4711", "SUBMITTED", start, trace=1, span=1, order__alias__crm_deal="D77"),
        record("order placed", start + 5, trace=1, span=1, order__id="4711"),
    )
    return shop, crm, said


def _lost(now: int):
    start = now - 20 * MINUTE
    shop = traces(
        "shop-api",
        span(2, 1, start, name="POST /orders", kind="server", order__id="4712"),
        span(
            2, 2, start + 10**6, name="send prices", parent=1, kind="producer", status="error", order__id="4712",
            error__type="unroutable", messaging__destination__name="prices",
        ),
    )  # fmt: skip
    return shop, logs("shop-api", stage_event("4712", "SUBMITTED", start, trace=2, span=1, order__path="b2c"))


def _say_lost(store: Store, now: int) -> None:
    """What the loss detector says of the message of order 4712; finding it out is tested elsewhere."""
    said = {
        "trace_id": bytes.fromhex(trace_hex(2)), "span_id": bytes.fromhex(span_hex(2)), "version": 1, "state": "lost",
        "reason": "unroutable", "order_ids": ["4712"], "destination": "prices", "queue": "", "service": "shop-api",
        "published": now - 20 * MINUTE + 11 * 10**6, "detail": "",
    }  # fmt: skip
    store.insert("hop_losses", list(said), [list(said.values())])


def _closed(now: int):
    start = now - 300 * MINUTE
    stages = (
        "INITIATED", "SUBMITTED", "PRICE_CALCULATED", "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED",
        "MANUFACTURING_COMPLETED", "MANUFACTURING_STARTED", "MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED", "CLOSED",
    )  # fmt: skip
    events = [stage_event("4713", stage, start + n * 10 * MINUTE, order__path="b2c") for n, stage in enumerate(stages)]
    sent = traces(
        "shop-api",
        span(3, 1, start, name="send orders", kind="producer", order__id="4713", messaging__destination__name="orders"),
    )
    taken = traces(
        "mes",
        span(
            3, 2, start + 3 * 10**9, name="process orders", parent=1, kind="consumer", order__id="4713",
            messaging__destination__name="orders", clew__message__redelivered=True, clew__message__settlement="ack",
            clew__message__death__reason="rejected", clew__message__death__queue="orders.q",
        ),
    )  # fmt: skip
    return logs("mes", *events), sent, taken


def _others(now: int):
    told = logs(
        "shop-api",
        stage_event("4714", "SUBMITTED", now - 40 * MINUTE, order__path="b2c"),
        stage_event("4714", "", now - 39 * MINUTE, order__hold=True),
        stage_event("4715", "SUBMITTED", now - 5 * MINUTE, order__path="b2c"),
        stage_event(
            "4715", "PRICE_CALCULATED", now - 4 * MINUTE, order__outcome="failed", error__message="no 3D data",
            order__path="b2c",
        ),
        stage_event("b/16", "INITIATED", now - MINUTE, trace=6, span=1, order__path="b2c"),
    )  # fmt: skip
    terminal = traces("shop-api", span(6, 1, now - MINUTE, name=ESCAPE, order__id="b/16", note=ESCAPE))
    return told, terminal
