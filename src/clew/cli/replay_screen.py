"""How `clew replay` looks in a terminal: a table that gives up detail, not words, where there is little room."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from clew.cli.screen import clock, counted, grid, joined, long, nanoseconds, plain, short, text
from clew.learn.words import percent

_WEEK_NS = 7 * 86_400 * 10**9
_DATE = len("2026-11-22")
_MINUTE = len("2026-11-22 08:15")


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a table is laid out: what stands between the parts of a cell, whether it says when, how wide names are."""

    gap: str
    when: bool = True
    name: int = 0
    moment: int = _DATE


_LAYOUTS = (_Layout(" "), _Layout("\n"), _Layout("\n", when=False), _Layout("\n", when=False, name=16))


def render_replay(found: dict[str, Any], width: int, *, chosen: bool = False) -> RenderableType:
    """What limits would have said, as the terminal shows it; below each the one in force where it differs.

    ``chosen``: somebody said whose orders these are.
    """
    tried, now = found["tried"], found["in_force"]
    head = f"{counted(found['orders'], 'order')} by the limits of flow {tried['name']} version {tried['version']}"
    moment = _moment_of(each for side in (tried, now) if side for each in side["stages"])
    for layout in _LAYOUTS:
        table = _table(tried, now, _Layout(layout.gap, layout.when, layout.name, moment))
        if Console(width=100_000).measure(table).maximum <= width:
            break
    within = percent(found["grace_share"]) + " of the limit" if found["grace_share"] else long(found["grace_s"])
    totals = [_total("these limits", tried), _total("those in force", now) if now else ""]
    notes = [f"a false alarm moved on by itself within {within}", "" if layout.when else "--json tells when"]
    others = of_others(tried["name"], found["asked"], chosen=chosen)
    return Group(
        text(head + between(found["asked"]), "bold"), *others, Text(""), table, Text(""),
        *map(text, filter(None, totals)), Text(joined(notes, "; "), style="dim"),
    )  # fmt: skip


def _moment_of(stages: Iterable[dict[str, Any]]) -> int:
    """How much of a moment is shown: its date, and the minute where all lie within a week."""
    ends = [nanoseconds(each[key]) for each in stages if each["stuck"] for key in ("first_at", "last_at")]
    return _MINUTE if ends and max(ends) - min(ends) <= _WEEK_NS else _DATE


def _table(tried: dict[str, Any], now: dict[str, Any] | None, layout: _Layout) -> Table:
    gap = layout.gap
    headers = ["STAGE", "PATH", "LIMIT", "STUCK", f"FALSE{gap}ALARMS", f"MOVED ON AFTER{gap}(MEDIAN, P90)"]
    table = grid(*headers, *(["WHEN"] if layout.when else []))
    in_force = {(each["stage"], each["path"]): each for each in now["stages"]} if now else {}
    for each in tried["stages"]:
        table.add_row(Text(_name(each["stage"], layout), style="bold"), *_cells(each, layout, ""))
        other = in_force.pop((each["stage"], each["path"]), None)
        if other and other["limit_s"] != each["limit_s"]:
            table.add_row(Text("  in force", style="dim"), *_cells(other, layout, "dim"))
    for each in in_force.values():
        name = f"{_name(each['stage'], layout)}{gap if gap == ' ' else gap + '  '}in force"
        table.add_row(Text(name, style="dim"), *_cells(each, layout, "dim"))
    return table


def _name(stage: str, layout: _Layout) -> str:
    """A stage's name, where names must be narrow in lines that end between words."""
    name = plain(stage)
    if not layout.name:
        return name
    lines = [""]
    for part in re.split(r"(?<=[_ .-])", name):
        if lines[-1] and len(lines[-1]) + len(part) > layout.name:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _cells(each: dict[str, Any], layout: _Layout, style: str) -> list[Text]:
    stuck, moved = each["stuck"], each["moved_after_median_s"]
    share = f"({percent(stuck / each['visits'])})" if each["visits"] else ""
    after = [] if moved is None else [f"{short(moved)},", short(each["moved_after_p90_s"])]
    if each["waiting"]:
        after = [*after[:-1], *(f"{last};" for last in after[-1:]), f"{each['waiting']:,} still there"]
    when = [f"{clock(each['first_at'])[: layout.moment]} to", clock(each["last_at"])[: layout.moment]] if stuck else []
    cells = [
        "any" if each["path"] == "*" else plain(each["path"]),
        long(each["limit_s"]),
        joined([f"{stuck:,} of {each['visits']:,}", share], layout.gap),
        f"{each['false_alarms']:,}" if stuck else "",
        layout.gap.join(after),
        *([layout.gap.join(when)] if layout.when else []),
    ]
    return [Text(cell, style=style) for cell in cells]


def _total(whose: str, replayed: dict[str, Any]) -> str:
    return f"{whose}: {replayed['stuck']:,} times stuck, {replayed['false_alarms']:,} of these false alarms"


def of_others(name: str, asked: dict[str, Any], *, chosen: bool) -> list[Text]:
    """The line that says whose orders a flow is held against where it isn't their own; ``chosen``: so it was asked."""
    if asked["flow"] == name:
        return []
    none = "" if chosen else f"no order follows {name}; "
    return [text(f"{none}these are orders of {asked['flow']}", "yellow")]


def between(asked: dict[str, Any]) -> str:
    """The range and the path that were asked for, as the end of a headline."""
    parts = [f"from {clock(asked['from_at'])}" if asked["from_at"] else ""]
    parts += [f"to {clock(asked['to_at'])}" if asked["to_at"] else "", f"path {asked['path']}" if asked["path"] else ""]
    told = joined(parts, ", ")
    return f", {told}" if told else ""
