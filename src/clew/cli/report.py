"""``clew report``: what history teaches, each report by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from clew.api.report_tables import as_csv
from clew.cli.client import Params, open_client
from clew.cli.options import asks, print_json
from clew.cli.report_hints import hints_of, with_hints
from clew.cli.report_screen import render_report
from clew.cli.screen import console, show

_EPILOG = """\b
Examples:
  clew report map --from 30d                          the process map of the last 30 days
  clew report dwell --path b2c                        how long orders stay in each stage
  clew report funnel --from 30d --against previous    this month against the month before
  clew report throughput --against-path b2b --path b2c  two paths side by side
  clew report variants --attribute country=de --csv   for a spreadsheet
  clew report variant 4711                            the way of one order, and how usual it is
"""
Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(epilog=_EPILOG)
def report() -> None:
    """What history teaches: how orders really go, where they wait, how long they take.

    Reports count whole orders of one flow: those that started in the range, unless --by says otherwise.
    """


def _picks(*, by: bool = True) -> Callable[[Command], Command]:
    """The options that say which orders count."""

    def decorate(command: Command) -> Command:
        options = [
            click.option("--flow", default="", help="Orders of this flow.  [default: the flow of most orders]"),
            click.option(
                "--from", "from_", default="", metavar="TIME", help="Not before: 30d, or 2026-11-22T08:15:00Z."
            ),
            click.option("--to", default="", metavar="TIME", help="Before this moment."),
            click.option("--path", default="", help="Only orders of this path."),
            click.option(
                "--attribute",
                "attributes",
                multiple=True,
                metavar="KEY=VALUE",
                help="An attribute of the order. May be repeated.",
            ),
            click.option(
                "--flow-version", type=click.IntRange(0), help="Only orders judged by this version of the flow."
            ),
            click.option(
                "--against", default="", metavar="FROM..TO", help="Compare with another range, or `previous`."
            ),
            click.option("--against-path", default="", metavar="PATH", help="Compare with another path."),
            click.option("--csv", "as_csv_", is_flag=True, help="Print CSV."),
        ]
        if by:
            kinds = click.Choice(["started", "ended", "active"])
            told = "What lies in the range: the order's start, its end, or any visit."
            options.insert(3, click.option("--by", type=kinds, default="started", show_default=True, help=told))
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _answer(name: str, more: Params, picks: dict[str, Any]) -> None:
    """Ask for a report and print it."""
    url, data, as_json, csv = (picks.pop(each) for each in ("url", "data", "as_json", "as_csv_"))
    if as_json and csv:
        raise click.UsageError("--json and --csv can't both be printed; choose one")
    version = picks.pop("flow_version")
    params: Params = {
        "from": picks.pop("from_"),
        "attribute": picks.pop("attributes"),
        "flow_version": "" if version is None else str(version),
        **picks,
        **more,
    }
    answer, hints = _asked(name, params, url, data, hints=not (as_json or csv))
    if as_json:
        print_json(answer)
    elif csv:
        click.echo(as_csv(name, answer), nl=False)
    else:
        show(with_hints(render_report(name, answer, console().width), hints))


def _asked(name: str, params: Params, url: str, data: Path | None, *, hints: bool) -> tuple[dict[str, Any], list[str]]:
    with open_client(url, data) as client:
        found: dict[str, Any] = client.get(f"reports/{name}", params)
        return found, hints_of(client, name, found, params) if hints else []


_ZONE = click.option(
    "--zone", default="UTC", show_default=True, help="Time zone of days and hours, e.g. Europe/Berlin."
)


@report.command("map")
@click.option(
    "--min-share", type=click.FloatRange(0, 1), default=0.0, help="Hide steps in a smaller share of orders, e.g. 0.05."
)
@_picks()
@asks
def map_(min_share: float, **picks: Any) -> None:  # noqa: ANN401
    """The process map: which stage follows which, how often, how long that takes, and where orders leave the flow."""
    _answer("map", {"min_share": f"{min_share:.9f}"}, picks)


@report.command("variants")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="Most variants."
)
@_picks()
@asks
def variants_(limit: int, **picks: Any) -> None:  # noqa: ANN401
    """The distinct ways of orders, the most frequent first, and the happy path."""
    _answer("variants", {"limit": limit}, picks)


@report.command("variant")
@click.argument("order_id")
@_picks()
@asks
def variant_(order_id: str, **picks: Any) -> None:  # noqa: ANN401
    """The way of one order, and how usual it is among those that count."""
    if picks["against"] or picks["against_path"]:
        raise click.UsageError("one order is compared with all that count; leave out --against")
    _answer("variant", {"order": order_id}, picks)


@report.command("funnel")
@click.option("--steps", default="", metavar="A,B,C", help="These stages, in order.  [default: the path's stages]")
@_picks()
@asks
def funnel_(steps: str, **picks: Any) -> None:  # noqa: ANN401
    """How many orders of each path reach each stage, who dropped out, who is still on the way."""
    _answer("funnel", {"step": [step.strip() for step in steps.split(",") if step.strip()]}, picks)


@report.command("dwell")
@_picks()
@asks
def dwell_(**picks: Any) -> None:  # noqa: ANN401
    """How long orders stay in each stage, with those counted that still wait (Kaplan-Meier)."""
    _answer("dwell", {}, picks)


@report.command("throughput")
@_picks()
@asks
def throughput_(**picks: Any) -> None:  # noqa: ANN401
    """How long finished orders took from their first milestone to their end."""
    _answer("throughput", {}, picks)


@report.command("rework")
@_picks()
@asks
def rework_(**picks: Any) -> None:  # noqa: ANN401
    """Stages that orders entered again."""
    _answer("rework", {}, picks)


@report.command("heatmap")
@_ZONE
@_picks()
@asks
def heatmap_(zone: str, **picks: Any) -> None:  # noqa: ANN401
    """At which hours of the week orders enter each stage."""
    _answer("heatmap", {"zone": zone}, picks)


@report.command("arrivals")
@_ZONE
@_picks(by=False)
@asks
def arrivals_(zone: str, **picks: Any) -> None:  # noqa: ANN401
    """Arrivals and completions per day; every order counts on its own days."""
    _answer("arrivals", {"zone": zone}, picks)


@report.command("wip")
@_ZONE
@_picks(by=False)
@asks
def wip_(zone: str, **picks: Any) -> None:  # noqa: ANN401
    """Work in progress: open orders at the end of each day, and the stages they were in."""
    _answer("wip", {"zone": zone}, picks)


@report.command("conformance")
@_picks()
@asks
def conformance_(**picks: Any) -> None:  # noqa: ANN401
    """How many orders went the declared way, and how the others left it."""
    _answer("conformance", {}, picks)
