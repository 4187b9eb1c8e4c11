"""Reports as tables of plain values: what CSV prints, and what the terminal draws."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

Report = dict[str, Any]
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Kind(Enum):
    """How the values of a column are shown to people."""

    TEXT = "text"
    STAGES = "stages"
    WORDS = "words"
    COUNT = "count"
    SHARE = "share"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    ``name`` heads it in CSV, ``header`` on the terminal. ``roomy`` ones are drawn only where there is room;
    ``compared`` ones are drawn twice when two reports stand side by side.
    """

    name: str
    kind: Kind
    header: str = ""
    roomy: bool = False
    compared: bool = False

    @property
    def title(self) -> str:
        """The header on the terminal."""
        return self.header or self.name.replace("_", " ").upper()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain values; the first ``keys`` columns tell a row from all others."""

    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]]
    keys: int = 1


def _columns(kind: Kind, *names: str, roomy: bool = False, compared: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, kind, roomy=roomy, compared=compared) for name in names)


_STAGE = Column("stage", Kind.TEXT)
_MAP = (
    *_columns(Kind.TEXT, "from", "to"),
    Column("count", Kind.COUNT, compared=True),
    Column("orders", Kind.COUNT, roomy=True),
    Column("median", Kind.TIME, compared=True),
    Column("p90", Kind.TIME),
    *_columns(Kind.TIME, "p95", "mean", roomy=True),
    Column("deviation", Kind.WORDS),
)
_VARIANTS = (
    Column("stages", Kind.STAGES),
    Column("orders", Kind.COUNT, compared=True),
    Column("share", Kind.SHARE, compared=True),
    Column("median_throughput", Kind.TIME, "MEDIAN TIME"),
    *_columns(Kind.COUNT, "closed", "open", roomy=True),
)
_FUNNEL = (
    *_columns(Kind.TEXT, "path", "stage"),
    Column("reached", Kind.COUNT, compared=True),
    Column("share", Kind.SHARE, compared=True),
    *_columns(Kind.COUNT, "dropped", "open", "skipped"),
    Column("median", Kind.TIME, "MEDIAN TO HERE"),
    Column("p90", Kind.TIME, roomy=True),
)
_DWELL = (
    _STAGE,
    Column("n", Kind.COUNT, "LEFT IT", compared=True),
    Column("waiting", Kind.COUNT, "STILL WAIT"),
    *_columns(Kind.TIME, "median", "p90", compared=True),
    *_columns(Kind.TIME, "p95", "p99", roomy=True),
    Column("thin", Kind.TEXT, "REMARK"),
)
_THROUGHPUT = (
    *_columns(Kind.TEXT, "path", "ended"),
    Column("n", Kind.COUNT, "ORDERS", compared=True),
    *_columns(Kind.TIME, "median", "p90", compared=True),
    *_columns(Kind.TIME, "p95", "p99", "mean", roomy=True),
)
_REWORK = (
    _STAGE,
    Column("orders", Kind.COUNT),
    Column("reworked", Kind.COUNT, compared=True),
    Column("share", Kind.SHARE, compared=True),
    *_columns(Kind.COUNT, "again", "direct", "most"),
)
_CONFORMANCE = (
    Column("kind", Kind.WORDS),
    *_columns(Kind.TEXT, "stage", "accepted"),
    Column("orders", Kind.COUNT, compared=True),
    *_columns(Kind.COUNT, "completed", "count"),
)


_DIFFERENCES = (
    *("undeclared_stages", "unseen_stages", "undeclared_entries", "unseen_entries"),
    *("undeclared_steps", "unseen_steps", "limits"),
)


def _cells(columns: Sequence[Column], item: Report) -> tuple[Any, ...]:
    return tuple(item[column.name] for column in columns)


def _map(report: Report) -> Table:
    edges = [{**edge, "deviation": _deviation(edge)} for edge in report["edges"]]
    return Table(_MAP, [_cells(_MAP, edge) for edge in edges], keys=2)


def _deviation(edge: Report) -> str:
    return f"{edge['deviation']}, accepted" if edge["accepted"] else str(edge["deviation"])


def _variants(report: Report) -> Table:
    items = ({**each, "stages": tuple(each["stages"])} for each in report["variants"])
    return Table(_VARIANTS, [_cells(_VARIANTS, item) for item in items])


def _variant(report: Report) -> Table:
    columns = _columns(Kind.TEXT, "stage", "entered_at")
    return Table(columns, list(zip(report["stages"], report["entered_at"], strict=True)), keys=2)


def _funnel(report: Report) -> Table:
    items = ({**step, "path": path["path"]} for path in report["paths"] for step in path["steps"])
    return Table(_FUNNEL, [_cells(_FUNNEL, item) for item in items], keys=2)


def _dwell(report: Report) -> Table:
    items = ({**each, "thin": "thin" if each["thin"] else ""} for each in report["stages"])
    return Table(_DWELL, [_cells(_DWELL, item) for item in items])


def _throughput(report: Report) -> Table:
    return Table(_THROUGHPUT, [_cells(_THROUGHPUT, each) for each in report["groups"]], keys=2)


def _rework(report: Report) -> Table:
    return Table(_REWORK, [_cells(_REWORK, each) for each in report["stages"]])


def _heat_map(report: Report) -> Table:
    columns = (*_columns(Kind.TEXT, "stage", "day", "hour"), Column("entries", Kind.COUNT))
    rows = [
        (each["stage"], DAYS[hour // 24], hour % 24, entries)
        for each in report["stages"]
        for hour, entries in enumerate(each["hours"])
    ]
    return Table(columns, rows, keys=3)


def _histogram(report: Report) -> Table:
    columns = (*_columns(Kind.TIME, "low", "high"), *_columns(Kind.COUNT, "closed", "cancelled", compared=True))
    return Table(columns, [_cells(columns, each) for each in report["bins"]], keys=2)


def _dots(report: Report) -> Table:
    columns = _columns(Kind.TEXT, "order_id", "path", "ended", "stage", "at")
    rows = [
        (each["order_id"], each["path"], each["ended"], visit["stage"], visit["at"])
        for each in report["rows"]
        for visit in each["visits"]
    ]
    return Table(columns, rows, keys=5)


def _step(report: Report) -> Table:
    columns = (
        *_columns(Kind.TEXT, "order_id", "path", "ended", "at"),
        Column("dwell", Kind.TIME, compared=True),
    )
    return Table(columns, [_cells(columns, each) for each in report["taken"]], keys=4)


def _remaining(report: Report) -> Table:
    columns = (
        *_columns(Kind.TEXT, "path", "stage"),
        Column("n", Kind.COUNT, "VISITS"),
        Column("median_s", Kind.TIME, "MEDIAN"),
        Column("p90_s", Kind.TIME, "P90"),
    )
    return Table(columns, [_cells(columns, each) for each in report["stages"]], keys=2)


def _diff(report: Report) -> Table:
    """One row a difference; what a kind of difference doesn't have is empty."""
    columns = (
        *_columns(Kind.TEXT, "difference", "path", "stage", "to"),
        *_columns(Kind.COUNT, "count", "orders"),
        Column("deviation", Kind.WORDS),
        *_columns(Kind.TIME, "limit_s", "learned_s"),
        Column("over", Kind.SHARE),
    )
    rows = [
        (name.removesuffix("s"), *(each.get(column.name) for column in columns[1:]))
        for name in _DIFFERENCES
        for each in ({"stage": one.get("from"), **one} for one in report[name])
    ]
    return Table(columns, rows, keys=4)


def _arrivals(report: Report) -> Table:
    columns = (Column("day", Kind.TEXT), *_columns(Kind.COUNT, "arrived", "closed", "cancelled"))
    return Table(columns, [_cells(columns, each) for each in report["days"]])


def _work_in_progress(report: Report) -> Table:
    columns = (*_columns(Kind.TEXT, "day", "stage"), Column("open", Kind.COUNT))
    rows = [
        (each["day"], stage, n)
        for each in report["days"]
        for stage, n in (*each["stages"].items(), *([("", each["others"])] if each["others"] else []))
    ]
    return Table(columns, rows, keys=2)


def _conformance(report: Report) -> Table:
    items = [
        {**each, "accepted": told}
        for told, name in (("", "deviations"), ("accepted", "accepted"))
        for each in report[name]
    ]
    return Table(_CONFORMANCE, [_cells(_CONFORMANCE, item) for item in items], keys=3)


TABLES: dict[str, Callable[[Report], Table]] = {
    "map": _map,
    "variants": _variants,
    "variant": _variant,
    "funnel": _funnel,
    "dwell": _dwell,
    "throughput": _throughput,
    "rework": _rework,
    "histogram": _histogram,
    "heatmap": _heat_map,
    "dots": _dots,
    "step": _step,
    "remaining": _remaining,
    "diff": _diff,
    "arrivals": _arrivals,
    "wip": _work_in_progress,
    "conformance": _conformance,
}
"""The table of each report, by the report's name."""


def as_csv(name: str, report: Report) -> str:
    """A report as CSV with a header; beside a report that it is compared with, with that one's values as well.

    Lengths of time are seconds; sequences of stages are JSON; what can't be told is empty. Texts that a spreadsheet
    would take for a formula begin with an apostrophe.
    """
    table, rows = compared_rows(name, report) if report.get("against") else (TABLES[name](report), None)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    values = table.columns[table.keys :] if rows is not None else ()
    writer.writerow([column.name for column in table.columns] + [f"against_{column.name}" for column in values])
    for row in table.rows if rows is None else rows:
        writer.writerow([_harmless(value) for value in row])
    return out.getvalue()


def compared_rows(name: str, report: Report) -> tuple[Table, list[tuple[Any, ...]]]:
    """The table of a report, and its rows with the values of the report that it is compared with after their own.

    Where one lacks a row its values are None. Two paths that are compared are one key: ``b2c | b2b``.
    """
    table, other = TABLES[name](report), TABLES[name](report["against"])
    paths = (report["asked"]["path"], report["against"]["asked"]["path"])
    mine, theirs = (_by_key(each, path, paths) for each, path in zip((table, other), paths, strict=True))
    none = (None,) * (len(table.columns) - table.keys)
    keys = dict.fromkeys([*mine, *theirs])
    return table, [key + mine.get(key, none) + theirs.get(key, none) for key in keys]


def _by_key(table: Table, path: str, paths: tuple[str, str]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The values of each row by its key columns."""
    both = " | ".join(each or "all" for each in paths) if paths[0] != paths[1] else path
    named = [column.name == "path" for column in table.columns[: table.keys]]
    return {
        tuple(
            both if is_path and path and value == path else value
            for is_path, value in zip(named, row[: table.keys], strict=True)
        ): row[table.keys :]
        for row in table.rows
    }


def _harmless(value: Any) -> Any:  # noqa: ANN401 - what a cell holds
    if isinstance(value, tuple):
        # A stage may have any name, also one with the sign that people read between two.
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def change_of(kind: Kind, now: float | None, before: float | None) -> str:
    """How much the first is above the second: percent, of shares points."""
    if now is None or before is None:
        return ""
    if kind is Kind.SHARE:
        return f"{_signed(100 * (now - before), 1)} points"
    return f"{_signed(100 * (now / before - 1), 0)} %" if before else ""


def _signed(number: float, decimals: int) -> str:
    """A number with its sign, 0 without one."""
    rounded = round(number, decimals)
    return f"{rounded:+.{decimals}f}" if rounded else f"{0:.{decimals}f}"
