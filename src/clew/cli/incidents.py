"""``clew incidents`` and ``clew incident N``: what people handle together, and what they do to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from clew.cli.client import Client, Params, open_client
from clew.cli.options import asks, print_json, who
from clew.cli.orders import watch_list
from clew.cli.screen import ROOMY, clock, console, counted, grid, joined, long, rows, show, text, words

_EPILOG = """\b
Examples:
  clew incidents                         what waits for somebody
  clew incidents --all                   resolved ones too, newest first
  clew incidents --watch                 kept up to date
  clew incidents --figures               how fast they are found, taken and resolved
"""
_EPILOG_ONE = """\b
Examples:
  clew incident 12                       one incident with its orders and its record
  clew incident 12 --acknowledge         I take it: nobody else is told
  clew incident 12 --note "called MES"   add to its record
  clew incident 12 --resolve             it is over
"""
_STYLES = {"critical": "bold magenta", "error": "bold red", "warning": "yellow", "info": "cyan"}
_STATES = {"open": "red", "acknowledged": "cyan", "resolved": "dim"}
_SHOWN = 20


@click.command(epilog=_EPILOG)
@click.option("--all", "every", is_flag=True, help="Resolved ones too.")
@click.option("--rule", default="", metavar="NAME", help="Only of this rule.")
@click.option("--order", default="", metavar="ID", help="Only those that are about this order.")
@click.option("--figures", is_flag=True, help="How fast those of the last 30 days were found, taken and resolved.")
@click.option("--watch", is_flag=True, help="Keep the list up to date until Ctrl-C.")
@click.option("-n", "--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Lines a page.")
@click.option("--after", type=click.IntRange(1), default=None, metavar="N", help="Go on after this page.")
@asks
def incidents(
    every: bool, rule: str, order: str, figures: bool, watch: bool, limit: int, after: int | None, url: str,
    data: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Incidents: alerts of one rule that somebody handles together, newest first."""
    if watch and (as_json or figures):
        raise click.UsageError("--watch draws the list on a terminal; leave the other option out")
    if figures and (rule or order or every or after):
        raise click.UsageError("--figures counts all incidents of the last 30 days; leave the other option out")
    states = [] if every or order else ["open", "acknowledged"]
    params: Params = {"state": states, "rule": rule, "order": order, "limit": limit, "after": after}
    with open_client(url, data) as client:
        if figures:
            told = client.get("incidents/figures")
            print_json(told) if as_json else show(_figures(told))
        elif watch:
            watch_list(lambda screen: _list(client.get("incidents", params), screen.width), 2.0, str(data or url))
        elif as_json:
            print_json(client.get("incidents", params))
        else:
            show(_list(client.get("incidents", params), console().width))


@click.command(epilog=_EPILOG_ONE)
@click.argument("incident_id", metavar="N", type=click.IntRange(1))
@click.option("--acknowledge", is_flag=True, help="I take it: nobody else is told.")
@click.option("--resolve", is_flag=True, help="It is over.")
@click.option("--note", metavar="TEXT", help="Add to its record.")
@click.option("--by", default="", metavar="NAME", help="Who does it.  [default: who runs this command]")
@asks
def incident(
    incident_id: int, acknowledge: bool, resolve: bool, note: str | None, by: str, url: str, data: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """One incident: what it is about, its orders, who was told, and what happened."""
    if acknowledge and resolve:
        raise click.UsageError("--acknowledge and --resolve: one of them")
    if note is not None and not note.strip():
        raise click.UsageError("--note is empty: write what others should know")
    actor = who(by) if acknowledge or resolve or note else ""
    with open_client(url, data) as client:
        _act(client, incident_id, acknowledge=acknowledge, resolve=resolve, note=note or "", by=actor)
        whole = client.get(f"incidents/{incident_id}")
    print_json(whole) if as_json else show(_whole(whole))


def _act(client: Client, incident_id: int, *, acknowledge: bool, resolve: bool, note: str, by: str) -> None:
    if acknowledge:
        client.post(f"incidents/{incident_id}/acknowledge", json.dumps({"by": by}))
    if note and not resolve:
        client.post(f"incidents/{incident_id}/note", json.dumps({"by": by, "text": note}))
    if resolve:
        client.post(f"incidents/{incident_id}/resolve", json.dumps({"by": by, "text": note}))


def _list(page: dict[str, Any], width: int) -> RenderableType:
    drawn: list[RenderableType] = [text(f"look: {each}", "yellow") for each in page.get("unseen", [])]
    if not page["items"]:
        known = " that is known" if drawn else ""
        return Group(*drawn, Text(f"no incident{known} waits for anybody; --all shows resolved ones too"))
    drawn += [_table(page["items"])] if width >= ROOMY else map(_two_lines, page["items"])
    if page["next"]:
        drawn.append(Text(f"more: add --after {page['next']}", style="dim"))
    return Group(*drawn)


def _table(items: list[dict[str, Any]]) -> RenderableType:
    table = grid("N", "SEVERITY", "STATE", "SINCE", "ALERTS", "WHO", "WHAT")
    for each in items:
        table.add_row(
            str(each["incident_id"]),
            Text(each["severity"], style=_STYLES[each["severity"]]),
            _state(each),
            Text(clock(each["since_at"])),
            f"{each['firing']:,} of {each['alerts']:,}",
            text(each["owner"]),
            text(f"{each['title']}: {each['reason']}"),
        )
    return table


def _two_lines(each: dict[str, Any]) -> RenderableType:
    head = Text("  ").join(
        [
            Text(f"{each['incident_id']}", style="bold"),
            Text(each["severity"], style=_STYLES[each["severity"]]),
            _state(each),
            text(f"for {each['owner']}" if each["owner"] else ""),
        ]
    )
    return Group(head, Padding(text(f"{each['title']}: {each['reason']}"), (0, 0, 0, 4)))


def _state(each: dict[str, Any]) -> Text:
    quiet = f"explained by {each['explained_by']}" if each["explained_by"] else "silenced" if each["silenced"] else ""
    return text(joined([words(each["state"]), quiet]), _STATES[each["state"]])


def _whole(each: dict[str, Any]) -> RenderableType:
    facts = rows(True, False)
    for name, value in _facts(each):
        facts.add_row(Text(name, style="dim"), text(value))
    head = Text("  ").join([Text(each["severity"], style=_STYLES[each["severity"]]), _state(each)])
    parts: list[RenderableType] = [text(each["title"], "bold"), text(each["reason"]), head, facts]
    parts += _evidence(each) + _record(each)
    return Group(*parts)


def _facts(each: dict[str, Any]) -> list[tuple[str, str]]:
    taken = f"by {each['acknowledged_by']} at {clock(each['acknowledged_at'])}" if each["acknowledged_at"] else ""
    over = f"by {each['resolved_by'] or 'Clew'} at {clock(each['resolved_at'])}" if each["resolved_at"] else ""
    told = [
        ("since", clock(each["since_at"])), ("told", clock(each["opened_at"])), ("who acts", each["owner"]),
        ("what to do", each["runbook"]), ("acknowledged", taken), ("resolved", over),
        ("escalation", each["escalation"]), ("rule", each["rule"]),
        ("labels", ", ".join(f"{name}={value}" for name, value in each["labels"].items())),
    ]  # fmt: skip
    return [(name, value) for name, value in told if value]


def _evidence(each: dict[str, Any]) -> list[RenderableType]:
    if not each["evidence"]:
        return []
    table = grid("SUBJECT", "SINCE", "WHY")
    for alert in each["evidence"][:_SHOWN]:
        over = "" if alert["phase"] == "firing" else " (no longer)"
        table.add_row(
            text(alert["order_id"] or alert["subject"], "bold"), clock(alert["since_at"]), text(alert["reason"] + over)
        )
    more = max(each["alerts"], len(each["evidence"])) - _SHOWN
    return [Text(""), table, *([Text(f"and {more:,} more", style="dim")] if more > 0 else [])]


def _record(each: dict[str, Any]) -> list[RenderableType]:
    table = rows(True, False)
    told = [(one["at"], f"{words(one['kind'])} by {one['by']}: {one['text']}".rstrip(": ")) for one in each["record"]]
    for one in each["notices"]:
        error = f": {one['error']}" if one["error"] and one["state"] != "sent" else ""
        told.append((one["sent_at"] or one["at"], f"{one['channel']} {one['kind']}: {words(one['state'])}{error}"))
    for at, line in sorted(told):
        table.add_row(Text(clock(at)), text(line))
    return [Text(""), table]


def _figures(told: dict[str, Any]) -> RenderableType:
    table = grid("", "MEDIAN", "P90", "OF")
    names = {"detect": "found", "acknowledge": "taken", "resolve": "resolved"}
    for key, name in names.items():
        one = told[key]
        values = ["no data" if one[each] is None else long(one[each]) for each in ("median_s", "p90_s")]
        table.add_row(name, *values, counted(one["n"], "incident"))
    return table
