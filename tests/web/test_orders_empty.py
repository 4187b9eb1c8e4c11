"""The page of orders before there is any order, and when the first one comes."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from clew.api import ApiDeps
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.store.embedded import open_store
from tests.builders import ingest, logs, stage_event


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A store in which nothing is told yet."""
    store = open_store(tmp_path_factory.mktemp("empty"))
    book = FlowBook(store)
    book.start([])
    rebuilder = Rebuilder(store, lambda: book.current)
    ticker = Ticker(store, rebuilder, time.time_ns)
    yield ApiDeps(store, book, Backfill(store, rebuilder), None, ticker)
    store.close()


def test_an_empty_page_says_how_to_begin_and_shows_the_first_order_by_itself(viewer, told):
    page = viewer.open("/")
    assert page.locator("#lead").inner_text() == "No open orders"
    assert page.get_by_role("heading", name="No order is known yet").is_visible()
    assert "clew demo" in page.locator(".empty").inner_text()
    assert set(page.locator(".tile").evaluate_all("all => all.map(each => each.className)")) == {"tile tile-none"}
    assert viewer.complaints() == []
    ingest(told.store, time.time_ns(), logs("shop-api", stage_event("4711", "SUBMITTED", time.time_ns())))
    told.ticker.tick()
    expect(page.locator("#rows th a")).to_have_text(["4711"], timeout=15_000)
    expect(page.locator("#lead")).to_have_text("Nothing is stuck or in jeopardy; 1 open")
