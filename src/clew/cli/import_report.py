"""What ``clew import`` tells: what was understood of a file, what it holds, which lines are bad, what was stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from clew.api.times import moment
from clew.cli.entries import packed
from clew.cli.screen import clock, counted, grid, nanoseconds, rows, text
from clew.history.recognise import Recogniser
from clew.history.rows import Source
from clew.history.survey import Survey
from clew.history.understand import clock_in_words

_SHOWN_BAD = 20
_SHOWN_STAGES = 30
_SHOWN_MILESTONES = 12


def report_of(name: str, source: Source, recogniser: Recogniser, survey: Survey) -> dict[str, Any]:
    """A checked history as JSON. Moments are RFC 3339; ``bad_lines`` are the first thousand."""
    form, zone = clock_in_words(recogniser.clock, source.zone)
    roles = recogniser.roles
    return {
        "name": name,
        "format": source.format,
        "unit": source.unit,
        "columns": dict(roles.of),
        "guessed": sorted(roles.guessed),
        "attributes": list(survey.attributes),
        "time": {"format": form, "zone": zone},
        "events": survey.events,
        "first_at": moment(survey.first_ns) if survey.events else None,
        "last_at": moment(survey.last_ns) if survey.events else None,
        "stages": [{"stage": stage, "events": number} for stage, number in survey.stages.most_common()],
        "journeys": [
            {"order_id": order, "stages": [{"stage": stage, "at": moment(at)} for at, stage in sorted(milestones)]}
            for order, milestones in survey.journeys.items()
        ],
        "remarks": source.remarks.told(),
        "bad": survey.bad,
        "bad_lines": [{"line": bad.line, "reason": bad.reason} for bad in survey.bad_lines],
    }


def render_report(report: dict[str, Any], width: int) -> RenderableType:
    """The same as the terminal shows it."""
    head = f"{report['name']}: {report['format']}, {counted(report['events'], 'event')}"
    span = f" from {clock(report['first_at'])} to {clock(report['last_at'])}" if report["events"] else ""
    parts: list[RenderableType] = [text(head + span, "bold"), *map(text, report["remarks"])]
    if not report["sent"]:
        parts += [*_columns(report, width), *_stages(report), *_journeys(report, width)]
    else:
        parts += _columns(report, width)
    return Group(*parts, *_bad(report), *_end(report), *_flow(report))


def _columns(report: dict[str, Any], width: int) -> list[RenderableType]:
    table = rows(True, False, False)
    for role, column in report["columns"].items():
        remark = "guessed" if role in report["guessed"] else ""
        if role == "time":
            read = f"{report['time']['format']}, zone {report['time']['zone']}"
            remark = f"{remark}; {read}" if remark else read
        table.add_row(f"  {role}", text(column, "bold"), text(remark, "dim"))
    kept = [text(name) for name in report["attributes"]]
    told = [Text("  and as attributes"), _indented(kept, width)] if kept else []
    return [Text("\nCOLUMNS", style="bold"), table, *told]


def _stages(report: dict[str, Any]) -> list[RenderableType]:
    table = grid()
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for each in report["stages"][:_SHOWN_STAGES]:
        table.add_row(f"  {each['events']}", text(each["stage"]))
    left = len(report["stages"]) - _SHOWN_STAGES
    more = [Text(f"  … and {left} more", style="dim")] if left > 0 else []
    return [Text("\nSTAGES", style="bold"), table, *more]


def _journeys(report: dict[str, Any], width: int) -> list[RenderableType]:
    parts: list[RenderableType] = [Text("\nFIRST JOURNEYS", style="bold")]
    for journey in report["journeys"]:
        near, pieces = "", []
        for each in journey["stages"][:_SHOWN_MILESTONES]:
            pieces.append(text(f"{clock(each['at'], near=near)} {each['stage']}"))
            near = each["at"]
        left = len(journey["stages"]) - _SHOWN_MILESTONES
        pieces += [Text("…", style="dim")] if left > 0 else []
        parts += [text(f"  {journey['order_id']}", "bold"), _indented(pieces, width)]
    return parts


def _indented(pieces: list[Text], width: int) -> RenderableType:
    return Padding(packed(pieces, width - 4), (0, 0, 0, 4))


def _bad(report: dict[str, Any]) -> list[RenderableType]:
    if not report["bad"]:
        return []
    table = rows(True, False)
    for each in report["bad_lines"][:_SHOWN_BAD]:
        table.add_row(f"  {report['unit']} {each['line']}", text(each["reason"]))
    left = report["bad"] - min(_SHOWN_BAD, len(report["bad_lines"]))
    more = [Text(f"  … and {left} more; --bad-lines FILE writes all", style="dim")] if left else []
    return [Text(f"\nBAD: {report['bad']}", style="bold red"), table, *more]


def flow_followed(flows: Sequence[Mapping[str, Any]], stages: Set[str], named: str) -> dict[str, Any]:
    """The flow that imported orders with these stages follow: the one they are named for, else the one that fits best.

    ``declares`` is how many of the stages it declares; None when nobody declared it.
    """
    fitting = [each for each in flows if named in ("", each["name"])]
    best = max(fitting, key=lambda each: len(stages & set(each["stages"])), default=None)
    declares = None if best is None else len(stages & set(best["stages"]))
    return {"name": named if best is None else best["name"], "named": bool(named), "declares": declares}


def _flow(report: dict[str, Any]) -> list[RenderableType]:
    if not (report["sent"] and report["events"]):
        return []
    flow, many = report["flow"], len(report["stages"])
    if flow["declares"] is None:
        return [text(f"nobody declared flow {flow['name']} yet: see `clew flow discover --flow {flow['name']}`")]
    told = f"they follow flow {flow['name']}, which declares {flow['declares']} of their {counted(many, 'stage')}"
    if flow["named"] or 2 * flow["declares"] > many:
        return [text(told)]
    return [text(f"{told}; if it isn't theirs, import them again with --flow and a name of your choice", "yellow")]


def _end(report: dict[str, Any]) -> list[RenderableType]:
    if report["sent"]:
        taken = f"stored as import {report['import_id']}; `clew import --undo {report['import_id']}` takes it back"
        return [Text(""), text(_stored(report)), text(taken)]
    # Else the error below says why nothing was sent.
    return [Text("\na dry run: nothing was sent")] if report["dry_run"] else []


def _stored(report: dict[str, Any]) -> str:
    days = (nanoseconds(report["last_at"]) - nanoseconds(report["first_at"])) / 86_400e9
    repeats = f", {counted(report['repeats'], 'repeat')} counted once" if report["repeats"] else ""
    return f"{counted(report['orders'], 'order')} over {days:.0f} days, {counted(report['distinct'], 'event')}{repeats}"
