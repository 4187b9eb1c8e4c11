"""``clew import --list`` and ``--undo``: what was imported, and how one import is taken back."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from clew.cli import screen
from clew.cli.client import WRONG_CALL, Client, CommandError
from clew.cli.options import print_json
from clew.cli.progress import patiently, progress_bars
from clew.cli.screen import clock, counted, grid, show, text


def list_imports(client: Client, as_json: bool) -> None:
    """Show every import that wasn't taken back, the latest first."""
    found = client.get("imports", {"all": True})[::-1]
    if as_json:
        print_json(found)
    elif not found:
        show(text("nothing was imported yet"))
    else:
        show(_table(found))


def _table(found: list[dict[str, Any]]) -> Table:
    table = grid("ID", "IMPORTED", "NAME", "FLOW", "TOLD")
    for each in found:
        told = (each["import_id"], clock(each["begun_at"]), each["name"], each["flow"], _state(each))
        table.add_row(*map(text, told))
    return table


def _state(import_: dict[str, Any]) -> str:
    if import_["undoing"]:
        return "is being taken back: the same --undo again finishes it"
    if import_["done"]:
        return _holds(import_)
    return f"{_holds(import_)}; {import_['rebuilt']:,} journeys so far" if import_["events"] else "its events arrive"


def _holds(import_: dict[str, Any]) -> str:
    return f"{counted(import_['events'], 'event')} of {counted(import_['orders'], 'order')}"


def take_back(client: Client, import_id: str, sure: bool, as_json: bool) -> None:
    """Take an import back until it is done, and tell what went. Raises CommandError, also when nobody said yes."""
    if not sure:
        _ask(client, import_id)
    with progress_bars() as bars:
        task = bars.add_task("events", total=None)
        answer = _further(client, import_id)
        already = answer["already"]
        while not answer["done"]:
            if answer["events_gone"]:
                bars.update(task, description="journeys", completed=answer["rebuilt"], total=answer["orders"])
            answer = _further(client, import_id)
    answer["already"] = already  # by others: the answer to a last step that was asked for twice says so, too
    if as_json:
        print_json(answer)
    else:
        show(Group(*_told(answer)))


def _further(client: Client, import_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = patiently(lambda: client.delete(f"imports/{import_id}"))
    return answer


def _ask(client: Client, import_id: str) -> None:
    found = next((each for each in client.get("imports", {"all": True}) if each["import_id"] == import_id), None)
    if found is None or found["undoing"]:
        return  # nothing to ask: the server says that there is none, or goes on with what was begun
    if not _somebody_there():
        raise CommandError("nobody is there to ask whether that is meant", "say --yes", WRONG_CALL)
    told = f"take back {found['name']}, imported {clock(found['begun_at'])}: {_holds(found)}?"
    if not click.confirm(text(told).plain, err=True):
        raise CommandError("nothing was taken back")


def _somebody_there() -> bool:
    return screen.on_terminal() and sys.stdin.isatty()


def _told(answer: dict[str, Any]) -> list[Text]:
    events, orders = counted(answer["events"], "event"), counted(answer["orders"], "order")
    done = "was taken back already" if answer["already"] else "is taken back"
    lines = [text(f"{answer['name']} {done}: {events}; {orders} rebuilt from what is left")]
    for each in answer["repeated"]:
        shared = f"up to {counted(each['events'], 'event')} that {each['name']} (import {each['import_id']}) told"
        lines.append(text(f"{shared} may have gone with it, as it told them again: import that once more", "yellow"))
    return lines
