"""Runs the reports' SQL: one file a query, each over the orders that the filter picks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

from clew.report.filter import ReportFilter
from clew.store.contract import Store

# Right because an order that leaves a partition leaves a tombstone there. An order's arrays make a row long: of smaller
# blocks more stays in the processor's caches.
FINAL = "SETTINGS do_not_merge_across_partitions_select_final = 1, max_block_size = 8192"


def read_rows(
    store: Store, name: str, filter_: ReportFilter, more: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """The rows of ``sql/NAME.sql`` over the picked orders; ``more`` are values that only this query needs."""
    return store.rows(sql_text(name), {**filter_.bindings(), **(more or {})})


@cache
def sql_text(name: str) -> str:
    """The text of a query: ``${picked}`` in it stands for the orders that the filter picks, no value is part of it."""
    return f"{Template(_file(name)).substitute(picked=_file('picked'))}\n{FINAL}"


def _file(name: str) -> str:
    return files("clew.report").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8").strip()


def seconds(length_ns: float) -> float:
    """Nanoseconds as seconds."""
    return length_ns / 1e9
