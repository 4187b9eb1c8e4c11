"""``clew find``: spans by any of their fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from clew.cli.client import open_client
from clew.cli.entries import Entry, listed, unbroken
from clew.cli.options import Command, asks, pages, print_json
from clew.cli.screen import clock, console, joined, short, show, text
from clew.store.spans import SpanKind, SpanStatus

_EPILOG = """\b
Examples:
  clew find --service mes-api --status error         failed spans of a service
  clew find --min-duration 1s --kind client          slow calls
  clew find --caller shop-api --callee crm-api       calls between two services
  clew find --attribute db.namespace=shop --since 2h spans with an attribute
  clew find --order 4711 --error '*'                 errors that name an order
"""


_FILTERS = (
    click.option("--trace", default="", help="Spans of this trace."),
    click.option("--span", default="", help="The span of this id."),
    click.option("--order", default="", help="Spans that name this order."),
    click.option("--user", default="", help="Spans of a user, in clear or as shown."),
    click.option(
        "--since", default="", help="Not before: 15m, 2026-11-22T08:15:00Z.  [default: 24h; of an order, all]"
    ),
    click.option("--until", default="", help="Before this moment."),
    click.option(
        "--status",
        type=click.Choice([each.value for each in SpanStatus]),
        metavar="STATUS",
        help=f"{', '.join(SpanStatus)}.",
    ),
    click.option(
        "--kind", type=click.Choice([each.value for each in SpanKind]), metavar="KIND", help=f"{', '.join(SpanKind)}."
    ),
    click.option("--service", default="", help="Spans of this service."),
    click.option("--name", default="", help="A span name, or its beginning followed by *."),
    click.option("--error", default="", help="An error type, or * for any."),
    click.option("--min-duration", default="", help="Spans that lasted at least: 250ms, 1s."),
    click.option("--max-duration", default="", help="Spans that lasted at most."),
    click.option("--min-trace-duration", default="", help="Spans of traces that lasted at least."),
    click.option("--max-trace-duration", default="", help="Spans of traces that lasted at most."),
    click.option("--caller", default="", help="Calls made by this service."),
    click.option("--callee", default="", help="Calls answered by this service."),
    click.option("--retries", default=0, type=click.IntRange(0), help="At least so many attempts before."),
    click.option("--timeout", is_flag=True, help="Spans that ended by time-out."),
    click.option(
        "--attribute", "attributes", multiple=True, metavar="KEY=VALUE", help="An attribute. May be repeated."
    ),
)


def span_filters(command: Command) -> Command:
    """The options by which spans are found."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.command(epilog=_EPILOG)
@span_filters
@pages
@asks
def find(attributes: tuple[str, ...], url: str, data: Path | None, as_json: bool, **fields: Any) -> None:  # noqa: ANN401
    """Spans by any of their fields, newest first. All conditions must hold."""
    with open_client(url, data) as client:
        page = client.get("spans", {**fields, "attribute": attributes})
    if as_json:
        print_json(page)
    else:
        show(render_spans(page, console().width))


def render_spans(page: dict[str, Any], width: int) -> RenderableType:
    """A page of spans as the terminal shows it."""
    if not page["items"]:
        return Text("no spans")
    headers = ("BEGAN", "SERVICE", "SPAN", "LASTED", "TRACE LASTED", "ORDERS", "TRACE", "REMARKS")
    table = listed([_entry(span) for span in page["items"]], width, headers)
    return Group(table, Text(""), unbroken(f"more: add --after {page['next']}", "dim")) if page["next"] else table


def _entry(span: dict[str, Any]) -> Entry:
    style = "red" if span["status"] == "error" else ""
    remarks = text(
        joined(
            [
                span["error"],
                span["status_message"],
                f"retry {span['retry_count']}" if span["retry_count"] else "",
                "timed out" if span["timeout"] else "",
            ],
            ", ",
        ),
        style,
    )
    service, name, trace = text(span["service"], "bold"), text(span["name"], style), text(span["trace_id"], "cyan")
    orders, lasted, whole = ", ".join(span["order_ids"]), short(span["duration_s"]), short(span["trace_duration_s"])
    named = text(f"orders {orders}" if orders else "")
    return Entry(
        clock(span["start_at"]),
        (service, name, Text(lasted), Text(whole), text(orders), trace, remarks),
        ((service, name, Text(f"{lasted} of {whole}")), (named, remarks), (trace,)),
    )
