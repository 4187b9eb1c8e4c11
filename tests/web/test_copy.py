"""Copying where a browser gives pages no clipboard: over plain http from another machine."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


@pytest.fixture
def page(viewer):
    viewer.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    return viewer.open("/orders/4711")


def test_the_text_for_a_ticket_is_selected_and_the_keys_are_told(page):
    page.get_by_text("Copy as text for a ticket").click()
    expect(page.get_by_text("Press Ctrl+C").first).to_be_visible()
    selected = page.evaluate("document.activeElement.value?.slice(document.activeElement.selectionStart)")
    assert selected.startswith("order 4711: stuck")


def test_the_id_of_a_trace_is_selected(page):
    trace = page.locator('a[href^="/traces/"]').first.get_attribute("href").split("?")[0].split("#")[0]
    page.goto(page.url.split("/orders/")[0] + trace)
    page.locator("button[data-copy=trace-id]").click()
    expect(page.get_by_role("button", name="Press Ctrl+C")).to_be_visible()
    assert page.evaluate("getSelection().toString()") == trace.split("/")[2]
