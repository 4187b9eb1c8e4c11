"""``clew reactions``: what Clew may do by itself, what it did, allowing a run, and the stop switch."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from clew.cli.checks import read_settings
from clew.cli.client import Client, CommandError, Params, open_client, segment
from clew.cli.entries import Entry, listed, timed
from clew.cli.options import Command, asks, changes, print_json, who
from clew.cli.screen import clock, console, counted, joined, long, show, text, words
from clew.flow import format_problems
from clew.model.errors import RulesError
from clew.react.load import ReactionsError, default_reactions_text, load_reactions
from clew.react.outside import outside_of
from clew.react.survey import problems, survey
from clew.rules import default_rules, load_rules

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=False)
_STYLES = {
    "done": "green", "helped": "green", "running": "cyan", "waiting_approval": "bold yellow", "failed": "bold red",
    "useless": "red", "refused": "dim", "dry_run": "dim",
}  # fmt: skip


@click.group()
def reactions() -> None:
    """What Clew may do by itself about incidents, under which guards, and what it did."""


def _by(command: Command) -> Command:
    told = "Who says so.  [default: who runs this command]"
    return click.option("--by", default="", metavar="NAME", help=told)(command)


@reactions.command("list")
@asks
def list_(url: str, data: Path | None, as_json: bool) -> None:
    """The reactions, each with its guards and its last run, and whether they are stopped."""
    with open_client(url, data) as client:
        told = client.get("reactions")
    if as_json:
        print_json(told)
    else:
        show(_list(told, console().width))


@reactions.command(epilog="\b\nExample:\n  clew reactions history --incident 12")
@click.option("--reaction", default="", metavar="NAME", help="Only of this reaction.")
@click.option("--incident", type=click.IntRange(1), default=None, metavar="N", help="Only on this incident.")
@click.option("-n", "--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Lines a page.")
@click.option("--after", type=click.IntRange(1), default=None, metavar="N", help="Go on after this page.")
@asks
def history(
    reaction: str, incident: int | None, limit: int, after: int | None, url: str, data: Path | None, as_json: bool
) -> None:
    """Runs and refusals, newest first."""
    params: Params = {"reaction": reaction, "incident": incident, "limit": limit, "after": after}
    with open_client(url, data) as client:
        told = client.get("reactions/runs", params)
    if as_json:
        print_json(told)
    else:
        show(_history(told, console().width))


@reactions.command()
@click.argument("run_id", metavar="ID", type=click.IntRange(1))
@_by
@changes
def approve(run_id: int, by: str, url: str, data: Path | None, as_json: bool) -> None:
    """Allow the run of that ID, which waits for it."""
    _decide("approve", run_id, {"by": who(by)}, url, data, as_json)


@reactions.command()
@click.argument("run_id", metavar="ID", type=click.IntRange(1))
@click.option("--why", default="", metavar="TEXT", help="Kept with it.")
@_by
@changes
def refuse(run_id: int, why: str, by: str, url: str, data: Path | None, as_json: bool) -> None:
    """Refuse the run of that ID, which has not begun; its reaction leaves that incident alone then."""
    _decide("refuse", run_id, {"by": who(by), "reason": why}, url, data, as_json)


@reactions.command()
@click.option("--why", default="", metavar="TEXT", help="Shown to whoever wonders.")
@_by
@changes
def stop(why: str, by: str, url: str, data: Path | None, as_json: bool) -> None:
    """Let no reaction begin from now on, over restarts of Clew, too; what runs goes on to its end."""
    body = {"by": who(by), "reason": why}
    with open_client(url, data) as client:
        told = _post(client, "reactions/stop", body)
    if as_json:
        print_json(told)
    else:
        click.echo(f"all reactions are stopped by {told['by']}; let them go on with: clew reactions go")


@reactions.command()
@_by
@changes
def go(by: str, url: str, data: Path | None, as_json: bool) -> None:
    """Let reactions begin again."""
    body = {"by": who(by)}
    with open_client(url, data) as client:
        told = _post(client, "reactions/go", body)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{counted(len(told['items']), 'reaction')} may begin again")


@reactions.command(epilog="Exit code 1 when the file has mistakes, or names what isn't there.")
@click.argument("file", type=_FILE)
@click.option("--rules", "rules_file", type=_FILE, help="The rules there are.  [default: those of the settings]")
def check(file: Path, rules_file: Path | None) -> None:
    """Name every mistake in a file of reactions, and programs, secrets and clusters that it names and can't use.

    Needs no server. Run it as the user, and in the environment, that `clew serve` has.
    """
    content = file.read_text(encoding="utf-8", errors="replace")
    try:
        checked = load_reactions(file, _rules(rules_file))
    except ReactionsError as error:
        count = counted(len(error.problems), "mistake")
        raise CommandError(f"{file} has {count}:\n\n{format_problems(error.problems, content)}") from error
    lacking = problems(survey(checked, outside_of(os.environ, file.parent, time.time_ns)), content)
    if lacking:
        told = f"{file} has no mistakes, but names {counted(len(lacking), 'thing')} that can't be used here"
        raise CommandError(f"{told}:\n\n{format_problems(lacking, content)}")
    acting = [each.name for each in checked.reactions if not each.guards.dry_run]
    told = f"acting: {', '.join(acting)}" if acting else "all of them dry runs"
    click.echo(f"{file} is right: {checked.name} version {checked.version}, "
               f"{counted(len(checked.reactions), 'reaction')}, {told}")  # fmt: skip


def _rules(given: Path | None) -> list[str]:
    """The names of the rules that a server would watch by."""
    told, settings = read_settings(os.environ)
    if settings is None:
        raise CommandError(told.told, told.mend)
    path = given or settings.rules
    try:
        declared = load_rules(path) if path else default_rules()
    except RulesError as error:
        raise CommandError(f"{path} has mistakes", f"see them with: clew rules check {path}") from error
    return [rule.name for rule in declared.rules]


@reactions.command()
def example() -> None:
    """Print the file of reactions that ships with Clew, to copy; needs no server, and all of it is a dry run."""
    click.echo(default_reactions_text(), nl=False)


@reactions.command("try", epilog="\b\nExample:\n  clew reactions try restart-mes-worker --incident 12")
@click.argument("name")
@click.option("--incident", type=click.IntRange(1), required=True, metavar="N", help="As if on this incident.")
@asks
def try_(name: str, incident: int, url: str, data: Path | None, as_json: bool) -> None:
    """What the reaction of that NAME would do now, and whether its action could be done. Nothing is done.

    Kubernetes is asked to check the change without making it.
    """
    with open_client(url, data) as client:
        told = client.post(f"reactions/{segment(name)}/try", "", {"incident": incident})
    if as_json:
        print_json(told)
        return
    until = f" until {clock(told['until'])}" if told["until"] else ""
    why = f": {told['reason']}" if told["reason"] else ""
    would = text(f"now it would {_STEPS[told['step']]}{until}{why}")
    show(Group(would, text(f"its action: {told['result']}", "" if told["works"] else "red")))
    if not told["works"]:
        raise CommandError("its action could not be done", "what is wrong with it is told above")


_STEPS = {
    "nothing": "do nothing",
    "wait": "wait",
    "refuse": "be refused",
    "propose": "ask a person",
    "run": "act",
}


def _post(client: Client, path: str, body: dict[str, str]) -> Any:  # noqa: ANN401 - JSON is what it is
    return client.post(path, json.dumps(body))


def _decide(what: str, run_id: int, body: dict[str, str], url: str, data: Path | None, as_json: bool) -> None:
    with open_client(url, data) as client:
        run = _post(client, f"reactions/runs/{run_id}/{what}", body)
    if as_json:
        print_json(run)
    else:
        begins = "; it begins as soon as its guards let it" if what == "approve" else ""
        click.echo(f"run {run['run_id']} of {run['reaction']} was {words(run['state'])} by {body['by']}{begins}")


def _list(told: dict[str, Any], width: int) -> RenderableType:
    stopped = told["stopped"]
    parts: list[RenderableType] = []
    if stopped:
        told_why = joined([f"stopped by {stopped['by']} at {clock(stopped['at'])}", stopped["reason"]], ": ")
        parts = [text(told_why, "bold red"), Text("")]
    headers = ("REACTION", "DOES", "ON", "GUARDS", "LAST RUN")
    return Group(*parts, listed([_reaction(each) for each in told["items"]], width, headers))


def _reaction(each: dict[str, Any]) -> Entry:
    name, does = text(each["name"], "bold"), text(each["does"])
    on = text(", ".join([*each["rules"], *each["severities"], *(f"{k}={v}" for k, v in each["labels"].items())]))
    guards = text(_guards(each), "dim")
    last = each["last"]
    ran = text(f"{_state(last)} {clock(last['at'])}", _STYLES.get(last["state"], "")) if last else text("never")
    return Entry("", (name, does, on, guards, ran), ((name, does), (on, guards), (ran,)))


def _state(run: dict[str, Any]) -> str:
    return "waits for approval" if run["state"] == "waiting_approval" else words(run["state"])


def _guards(each: dict[str, Any]) -> str:
    return joined(
        [
            "dry run" if each["dry_run"] else "",
            "needs approval" if each["needs_approval"] else "",
            f"at most {each['most_per_hour']} an hour",
            f"{long(each['cooldown_s'])} between runs",
            f"only in the hours {each['hours']}" if each["hours"] else "",
        ],
        ", ",
    )


def _history(told: dict[str, Any], width: int) -> RenderableType:
    if not told["items"]:
        return text("no reaction has run here, and none was refused")
    entries = timed([_run(each) for each in told["items"]], "")
    parts: list[RenderableType] = [listed(entries, width)]
    if told["next"]:
        parts += [Text(""), text(f"more: --after {told['next']}", "dim")]
    return Group(*parts)


def _run(run: dict[str, Any]) -> Entry:
    state = Text(_state(run), style=_STYLES.get(run["state"], ""))
    name = text(f"{run['run_id']} {run['reaction']}", "bold")
    on = text(f"incident {run['incident_id']}" if run["incident_id"] else "")
    by = f", approved by {run['approved_by']}" if run["approved_by"] else ""
    result = text(f"{'dry run: ' if run['dry_run'] else ''}{run['result']}{by}")
    return Entry(run["at"], (state, name, on, result), ((state, name, on), (result,)))
