"""How reports look in a terminal: tables with bars, heat maps, and two reports side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from clew.api.report_tables import DAYS, TABLES, Column, Kind, Report, Table, change_of, compared_rows
from clew.cli.screen import ROOMY, bar, clock, counted, grid, joined, long, short, text, words

_SHADES = "·░▒▓█"
_BAR = 24
_MOST_DAYS = 62
_MOST_ROWS = 60
_NOTHING = "-"


def render_report(name: str, report: Report, width: int) -> RenderableType:
    """A report as the terminal shows it; with one that it is compared with, side by side."""
    shown = _compared(name, report, width) if report.get("against") else VIEWS[name](report, width)
    return Group(shown, Text(""), *_footer(name, report))


def _footer(name: str, report: Report) -> list[RenderableType]:
    lines = [_told(report["asked"])]
    if report.get("against"):
        lines.append(f"against {_told(report['against']['asked'])}")
    if name == "dwell":
        lines.append("Kaplan-Meier: who still waits counts; thin: fewer than 20 left the stage, so don't rely on it")
    if name in ("heatmap", "arrivals", "wip"):
        lines.append(f"time zone {report['zone']}")
    return [text(line, "dim") for line in lines]


def _told(asked: Report) -> str:
    """What was asked, in a line."""
    begin, end = (
        f"{word} {clock(asked[key])}" if asked[key] else "" for word, key in (("from", "from_at"), ("to", "to_at"))
    )
    what = {"started": "started", "ended": "ended", "active": "active"}[asked["by"]] if begin or end else ""
    version = f"judged by version {asked['flow_version']}" if asked["flow_version"] is not None else ""
    attributes = [f"{key}={value}" for key, value in asked["attributes"].items()]
    path = f"path {asked['path']}" if asked["path"] else ""
    return joined([f"flow {asked['flow']}", path, *attributes, version, joined([what, begin, end], " ")])


def told_value(kind: Kind, value: Any) -> str:  # noqa: ANN401 - what a cell holds
    """A value in words for people."""
    if value is None:
        return _NOTHING
    match kind:
        case Kind.COUNT:
            return f"{value:,}"
        case Kind.SHARE:
            return f"{100 * value:.1f} %"
        case Kind.TIME:
            return long(value) if value >= 1 else short(value) if value else "0 s"
        case Kind.WORDS:
            return words(str(value))
        case Kind.STAGES:
            return " > ".join(value)
        case Kind.TEXT:
            return str(value)


def _count(number: int) -> str:
    return told_value(Kind.COUNT, number)


def _share(share: float) -> str:
    return told_value(Kind.SHARE, share)


def _drawn(columns: Sequence[Column], rows: Sequence[Sequence[Any]], bars: Sequence[str] = ()) -> RichTable:
    """A table of formatted cells; ``bars`` is one more column without a header."""
    table = grid()
    table.show_header = True
    for column in columns:
        numbers = column.kind in (Kind.COUNT, Kind.SHARE, Kind.TIME)
        table.add_column(column.title, justify="right" if numbers else "left", no_wrap=numbers, overflow="fold")
    if bars:
        table.add_column("", no_wrap=True)
    for number, row in enumerate(rows):
        cells = [text(told_value(column.kind, value)) for column, value in zip(columns, row, strict=True)]
        table.add_row(*cells, *([Text(bars[number], style="cyan")] if bars else []))
    return table


def _listed(
    table: Table, width: int, measure: str = "", *, folds: bool = False, left_out: bool = True
) -> RenderableType:
    """A table of a report, with as much as there is room for; ``left_out``: and a line that names what has none.

    ``measure`` names the column whose values are drawn as bars; ``folds``: it has a text that may take several lines.
    """
    if not table.rows:
        return Text("no orders")
    rows = table.rows[:_MOST_ROWS]
    values = [row[[column.name for column in table.columns].index(measure)] for row in rows] if measure else []
    attempts = [(True, _BAR), (True, _BAR // 2), (False, _BAR), (False, _BAR // 3), (False, 0)]
    if folds:
        attempts = [(width >= ROOMY, 0)]
    for roomy, cells in attempts:
        shown = [index for index, column in enumerate(table.columns) if roomy or not column.roomy]
        bars = _bars(values, cells) if cells and values else []
        drawn = _drawn([table.columns[i] for i in shown], [[row[i] for i in shown] for row in rows], bars)
        if _width_of(drawn) <= width:
            break
    more = len(table.rows) - len(rows)
    notes = [f"… and {_count(more)} more; --json and --csv have all"] if more else []
    missing = [column.title for index, column in enumerate(table.columns) if index not in shown]
    notes += _narrow(missing) if left_out else []
    return Group(drawn, *(text(note, "dim") for note in notes))


def _narrow(missing: Sequence[str]) -> list[str]:
    """The line that names the columns for which there is no room; none where all are there."""
    return [f"a wider terminal or --csv shows {', '.join(missing)}"] if missing else []


def _width_of(table: RichTable) -> int:
    return Console(width=100_000).measure(table).maximum


def _bars(values: Sequence[float | None], cells: int) -> list[str]:
    most = max((value for value in values if value is not None), default=0) or 1
    return [bar((value or 0) / most, cells) for value in values]


def _map(report: Report, width: int) -> RenderableType:
    def counts(name: str) -> Text:
        most = sorted(report[name].items(), key=lambda each: -each[1])
        return text(f"{name}: " + ", ".join(f"{stage} {_count(n)}" for stage, n in most))

    head = f"{_count(report['orders'])} orders, {_count(report['events'])} visits"
    lines = [text(head), Text(""), _listed(TABLES["map"](report), width, "count"), Text("")]
    if report["hidden_edges"]:
        hidden = f"{_count(report['hidden_edges'])} rarer steps hidden, taken {_count(report['hidden_count'])} times"
        lines.append(text(hidden, "dim"))
    still = text(f"ends are last visits; {_count(report['open'])} orders haven't ended", "dim")
    return Group(*lines, counts("starts"), counts("ends"), still)


def _variants(report: Report, width: int) -> RenderableType:
    head = f"{_count(report['orders'])} orders in {_count(report['variants_total'])} variants"
    happy = " > ".join(report["happy_path"] or ())
    told = f"happy path: {happy}" if happy else "no order has closed, so there is no happy path yet"
    table = TABLES["variants"](report)
    order = [column.name for column in table.columns]
    first = Table(
        tuple(sorted(table.columns, key=lambda column: column.name == "stages")),
        [
            tuple(cell for _, cell in sorted(enumerate(row), key=lambda each: order[each[0]] == "stages"))
            for row in table.rows
        ],
    )
    return Group(text(head), text(told), Text(""), _listed(first, width, folds=True))


def _variant(report: Report, _: int) -> RenderableType:
    order = f"order {report['order_id']}"
    if report["rank"]:
        place = f"number {_count(report['rank'])} of {_count(report['variants_total'])}"
        usual = f"the way of {counted(report['orders'], 'order')} ({_share(report['share'])}), {place}"
    else:
        usual = "a way that none of the counted orders took"
    times = f"first to last visit {told_value(Kind.TIME, report['throughput'])}"
    if report["median_throughput"] is not None:
        times += f", median of the variant {told_value(Kind.TIME, report['median_throughput'])}"
    happy = report["happy_path"]
    lines = [text(f"{order}: {usual}", "bold"), text(times), Text("")]
    table = grid()
    for stage, at in zip(report["stages"], report["entered_at"], strict=True):
        table.add_row(Text(clock(at)), text(stage, "" if happy is None or stage in happy else "yellow"))
    way = text(
        "this is the happy path" if happy == report["stages"] else f"happy path: {' > '.join(happy)}" if happy else ""
    )
    return Group(*lines, table, way)


def _funnel(report: Report, width: int) -> RenderableType:
    parts: list[RenderableType] = []
    table = TABLES["funnel"](report)
    for path in report["paths"]:
        rows = [row[1:] for row in table.rows if row[0] == path["path"]]
        done = f"{_count(path['converted'])} of {counted(path['orders'], 'order')} came through"
        took = f", median {told_value(Kind.TIME, path['median'])}" if path["median"] is not None else ""
        outside = f"; {_count(path['outside'])} never reached the first stage" if path["outside"] else ""
        title = f"path {path['path']}" if path["path"] else "no path"
        parts += [text(title, "bold"), text(done + took + outside)]
        last = path is report["paths"][-1]
        parts += [_listed(Table(table.columns[1:], rows), width, "reached", left_out=last), Text("")]
    return Group(*parts[:-1]) if parts else Text("no orders")


def _dwell(report: Report, width: int) -> RenderableType:
    return _listed(TABLES["dwell"](report), width, "median")


def _throughput(report: Report, width: int) -> RenderableType:
    head = f"{_ended(report['finished'])}, {_not_ended(report['open'])}"
    table = TABLES["throughput"](report)
    rows = [(row[0] or "all", row[1] or "all", *row[2:]) for row in table.rows]
    return Group(text(head), Text(""), _listed(Table(table.columns, rows, 2), width, "median"))


def _ended(orders: int) -> str:
    return f"{counted(orders, 'order')} {'has' if orders == 1 else 'have'} ended"


def _not_ended(orders: int) -> str:
    return f"{_count(orders)} {'has' if orders == 1 else 'have'}n't"


def _rework(report: Report, width: int) -> RenderableType:
    share = f" ({_share(report['share'])})" if report["share"] is not None else ""
    head = f"{_count(report['reworked'])} of {counted(report['orders'], 'order')}{share} entered some stage again"
    return Group(text(head), Text(""), _listed(TABLES["rework"](report), width, "reworked"))


def _conformance(report: Report, width: int) -> RenderableType:
    rate = _share(report["rate"]) if report["rate"] is not None else "no rate, as no order has ended"
    early = _count(report["incomplete_deviating"])
    ways = f"{_count(report['conforming'])} as declared, {_count(report['deviating'])} not"
    lines = [
        f"{_ended(report['completed'])}: {ways} ({rate})",
        f"{_not_ended(report['incomplete'])} ended, {early} of them deviate already",
    ]
    if report["with_accepted"]:
        lines.append(f"{_count(report['with_accepted'])} have deviations that the flow accepts")
    table = TABLES["conformance"](report)
    shown = _listed(table, width, "orders") if table.rows else Text("no deviations")
    return Group(*map(text, lines), Text(""), shown)


def _heat_map(report: Report, _: int) -> RenderableType:
    if not report["stages"]:
        return Text("no orders")
    blocks = [_week(each) for each in report["stages"]]
    return Columns(blocks, padding=(1, 3), width=29)


def _week(stage: Report) -> Text:
    """One stage's week: a line a day, a sign an hour."""
    most = max(stage["hours"]) or 1
    lines = [Text(f"{stage['stage'][:29]}", style="bold"), Text("    0     6     12    18", style="dim")]
    for number, day in enumerate(DAYS):
        hours = stage["hours"][24 * number : 24 * number + 24]
        signs = "".join(_SHADES[0 if not n else 1 + min(3, 4 * n // (most + 1))] for n in hours)
        lines.append(Text(f"{day} {signs}"))
    lines.append(text(f"{_count(stage['entries'])} entries", "dim"))
    return Text("\n").join(lines)


def _arrivals(report: Report, _: int) -> RenderableType:
    table = TABLES["arrivals"](report)
    columns, rows = table.columns, table.rows
    weekly = len(rows) > _MOST_DAYS
    if weekly:
        sums: dict[str, list[int]] = {}
        for day, *numbers in rows:
            week = sums.setdefault(_monday(day), [0] * len(numbers))
            week[:] = [a + b for a, b in zip(week, numbers, strict=True)]
        rows = [(week, *numbers) for week, numbers in sums.items()]
        columns = (Column("day", Kind.TEXT, "WEEK OF"), *columns[1:])
    counts = [f"{_count(report[what])} {what}" for what in ("arrived", "closed", "cancelled")]
    return Group(text(", ".join(counts)), Text(""), _drawn(columns, rows, _bars([row[1] for row in rows], _BAR)))


def _work_in_progress(report: Report, _: int) -> RenderableType:
    days = report["days"]
    if len(days) > _MOST_DAYS:
        days = list({_monday(each["day"]): each for each in days}.values())
    columns = (
        Column("day", Kind.TEXT, "END OF"),
        Column("open", Kind.COUNT),
        Column("most", Kind.TEXT, "MOST OF THEM IN"),
    )
    rows = [(each["day"], each["open"], _most(each["stages"])) for each in days]
    return _drawn(columns, rows, _bars([each["open"] for each in days], _BAR))


def _most(stages: dict[str, int]) -> str:
    first = sorted(stages.items(), key=lambda each: (-each[1], each[0]))[:2]
    return ", ".join(f"{stage} {_count(n)}" for stage, n in first)


def _monday(day: str) -> str:
    of_week = date.fromisoformat(day)
    return (of_week - timedelta(days=of_week.weekday())).isoformat()


VIEWS: dict[str, Callable[[Report, int], RenderableType]] = {
    "map": _map,
    "variants": _variants,
    "variant": _variant,
    "funnel": _funnel,
    "dwell": _dwell,
    "throughput": _throughput,
    "rework": _rework,
    "heatmap": _heat_map,
    "arrivals": _arrivals,
    "wip": _work_in_progress,
    "conformance": _conformance,
}
"""How each report is drawn, by its name."""


def _compared(name: str, report: Report, width: int) -> RenderableType:
    """Both reports side by side: of each compared column the own value, the other's, and the change."""
    table, rows = compared_rows(name, report)
    if not rows:
        return Text("no orders")
    values = range(table.keys, len(table.columns))
    compared = [i for i in values if table.columns[i].compared] or list(values)
    missing: list[str] = []
    drawn = _side_by_side(table, rows[:_MOST_ROWS], compared)
    while len(compared) > 1 and _width_of(drawn) > width:
        missing.insert(0, table.columns[compared.pop()].title)
        drawn = _side_by_side(table, rows[:_MOST_ROWS], compared)
    return Group(drawn, *(text(note, "dim") for note in _narrow(missing)))


def _side_by_side(table: Table, rows: Sequence[tuple[Any, ...]], compared: Sequence[int]) -> RichTable:
    offset = len(table.columns) - table.keys
    columns = list(table.columns[: table.keys])
    cells = [list(row[: table.keys]) for row in rows]
    for i in compared:
        own = table.columns[i]
        columns += [own, Column("against", own.kind), Column("change", Kind.TEXT)]
        for line, row in zip(cells, rows, strict=True):
            line += [row[i], row[i + offset], change_of(own.kind, row[i], row[i + offset])]
    return _drawn(columns, cells)
