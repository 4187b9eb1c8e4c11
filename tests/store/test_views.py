"""Saved views are kept, renamed and forgotten durably."""

from __future__ import annotations

import pytest

from clew.store.embedded import open_store
from clew.store.views import SavedView, drop_view, read_views, rename_view, write_view


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def test_views_live_through_a_restart_and_their_changes_as_well(tmp_path):
    first = open_store(tmp_path)
    for name in ("late", "Mine", "lost"):
        write_view(first, SavedView(name, f"stage={name}"))
    rename_view(first, SavedView("late", "stage=late"), "Zu spät <b>")
    drop_view(first, "lost")
    first.close()
    second = open_store(tmp_path)
    assert read_views(second) == [SavedView("Mine", "stage=Mine"), SavedView("Zu spät <b>", "stage=late")]
    second.close()


def test_a_view_may_come_back_under_the_name_of_a_deleted_one(store):
    write_view(store, SavedView("late", "stage=A"))
    drop_view(store, "late")
    assert read_views(store) == []
    write_view(store, SavedView("late", "stage=B"))
    assert read_views(store) == [SavedView("late", "stage=B")]


def test_deleting_what_is_not_there_changes_nothing(store):
    drop_view(store, "never")
    assert read_views(store) == []


def test_the_later_change_counts_even_by_a_clock_set_back(store, monkeypatch):
    clock = iter(range(2_000_000_000_000_000_000, 0, -(10**15)))
    monkeypatch.setattr("clew.store.views.time.time_ns", lambda: next(clock))
    write_view(store, SavedView("late", "stage=A"))
    write_view(store, SavedView("late", "stage=B"))
    assert read_views(store) == [SavedView("late", "stage=B")]
    rename_view(store, SavedView("late", "stage=B"), "lost")
    assert read_views(store) == [SavedView("lost", "stage=B")]
    drop_view(store, "lost")
    assert read_views(store) == []
    write_view(store, SavedView("late", "stage=C"))
    assert read_views(store) == [SavedView("late", "stage=C")]
