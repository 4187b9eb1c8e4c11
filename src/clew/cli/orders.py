"""``clew orders``: orders, worst first."""

from __future__ import annotations

import bisect
import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from clew.cli.client import Client, NoAnswer, Params, open_client
from clew.cli.entries import unbroken
from clew.cli.options import asks, order_filters, pages, print_json
from clew.cli.screen import ROOMY, STYLES, clock, console, grid, joined, long, show, text, verdict_text, words, working

_EPILOG = """\b
Examples:
  clew orders                          open orders, worst first
  clew orders --verdict stuck --watch  stuck orders, kept up to date
  clew orders --user anna-9931         all orders of a user
  clew orders --alias D77              the order that another system calls D77
  clew orders --stage SUBMITTED --json what a script reads
  clew orders --at 2026-11-22T08:00:00Z the list as it was then
"""


@click.command(epilog=_EPILOG)
@order_filters(", ended ones too")
@click.option("--all", "ended", is_flag=True, help="Ended orders too.")
@click.option("--at", default="", metavar="TIME", help="As of a past moment: 2h, or 2026-11-22T08:15:00Z.")
@click.option("--watch", is_flag=True, help="Keep the list up to date until Ctrl-C.")
@click.option("--every", type=click.FloatRange(0.2), default=2.0, show_default=True, help="Seconds between updates.")
@pages
@asks
def orders(
    verdicts: tuple[str, ...], ended: bool, at: str, watch: bool, every: float, limit: int, after: str, url: str,
    data: Path | None, as_json: bool, **fields: str,
) -> None:  # fmt: skip
    """Orders, worst first: lost, failed, stuck, in jeopardy, on hold, on time.

    Within a verdict the longest waiting comes first. Ended orders are left out unless asked for.
    """
    if watch and as_json:
        raise click.UsageError("--watch draws on a terminal; call `clew orders --json` again and again instead")
    if watch and at:
        raise click.UsageError("--watch shows the present, --at a past moment; leave one of them out")
    named = verdicts or any(fields[each] for each in ("user", "alias", "trace", "prefix"))
    open_only = not ended and not named
    params: Params = {**fields, "verdict": verdicts, "open": open_only, "limit": limit, "after": after, "at": at}
    with open_client(url, data) as client:
        if watch:
            watch_list(lambda screen: render_watched(client.get("orders", params), screen), every, str(data or url))
        else:
            _print_once(client, params, as_json)


def _print_once(client: Client, params: Params, as_json: bool) -> None:
    with working("telling orders as they stood then") if params["at"] else contextlib.nullcontext():
        page = client.get("orders", params)
    if as_json:
        print_json(page)
    else:
        show(render_orders(page, console().width))


def watch_list(render: Callable[[Console], RenderableType], every_s: float, place: str) -> None:
    """Draw again and again in place until Ctrl-C; when ``place`` gives no answer, say so below what was drawn last.

    Raises CommandError when the first drawing fails, and later when there is an answer that is an error.
    """
    screen = console()
    drawn = render(screen)
    silent_since = ""
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(drawn, console=screen, auto_refresh=False, vertical_overflow="crop") as live,
    ):
        while True:
            time.sleep(every_s)
            try:
                drawn, silent_since = render(screen), ""
            except NoAnswer:
                silent_since = silent_since or f"{datetime.now():%H:%M:%S}"
            told = text(f"no answer from {place} since {silent_since}, trying again", "yellow")
            live.update(Group(told, drawn) if silent_since else drawn, refresh=True)


def render_orders(page: dict[str, Any], width: int) -> RenderableType:
    """A page of orders as the terminal shows it: a table, or two lines an order where there is little room."""
    return Group(_body(page, page["items"], width), _summary(page))


def render_watched(page: dict[str, Any], screen: Console) -> RenderableType:
    """As many orders of a page as the terminal has room for, and always the counts."""
    orders, further = page["items"], page["next"]
    page = page | {"next": None}  # a list that is drawn again and again can't be paged

    def drawn(number: int) -> RenderableType:
        left = len(orders) - number
        told = "… and more" if further else f"… and {left} more"
        more = [Text(told, style="dim")] if left or further else []
        return Group(_body(page, orders[:number], screen.width), *more, _summary(page))

    def too_high(number: int) -> bool:
        # One line is left for the news that the server gives no answer, one for the cursor.
        return len(screen.render_lines(drawn(number))) > screen.height - 2

    if not too_high(len(orders)):
        return drawn(len(orders))
    return drawn(max(1, bisect.bisect_left(range(1, len(orders)), True, key=too_high)))


def _body(page: dict[str, Any], orders: list[dict[str, Any]], width: int) -> RenderableType:
    if not orders:
        return Text("no orders")
    if width >= ROOMY:
        return _table(page, orders)
    return Group(*(line for each in orders for line in _two_lines(each)))


def _table(page: dict[str, Any], orders: list[dict[str, Any]]) -> RenderableType:
    due = any(each["due_at"] for each in orders)
    table = grid("VERDICT", "ORDER", "STAGE", "IN STAGE", *(["DUE"] if due else []), "WHO", "WHY")
    for each in orders:
        verdict = each["verdict"]
        table.add_row(
            verdict_text(verdict["kind"]),
            text(each["order_id"], "bold"),
            text(each["stage"]),
            Text(_dwell(each)),
            *([Text(clock(each["due_at"], near=page["judged_at"]))] if due else []),
            text(verdict["owner"]),
            text(verdict["reason"]),
        )
    return table


def _two_lines(order: dict[str, Any]) -> list[RenderableType]:
    verdict = order["verdict"]
    who = text(joined([order["stage"], f"for {verdict['owner']}" if verdict["owner"] else ""]))
    head = Text("  ").join([verdict_text(verdict["kind"]), text(order["order_id"], "bold"), who])
    return [head, Padding(text(verdict["reason"]), (0, 0, 0, 4))]


def _summary(page: dict[str, Any]) -> RenderableType:
    counts = page["counts"] or {}
    parts = [Text(f"{number:,} {words(kind)}", style=STYLES[kind]) for kind, number in counts.items() if number]
    lines = [Text(""), Text(" · ").join(parts)] if parts else []
    if page["next"]:
        lines.append(unbroken(f"more: add --after {page['next']}", "dim"))
    return Group(*lines, Text(f"as of {clock(page['judged_at'])}", style="dim"))


def _dwell(order: dict[str, Any]) -> str:
    if order["verdict"]["kind"] in ("closed", "cancelled"):
        return ""
    allowed = f" of {long(order['limit_s'])}" if order["limit_s"] is not None else ""
    return f"{long(order['dwell_s'])}{allowed}"
