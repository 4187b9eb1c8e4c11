"""``clew rules``: check and show rules, play written cases, and try them on the past."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files as files_of
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from clew.cli import screen
from clew.cli.checks import read_settings
from clew.cli.client import CommandError, Unreachable, open_client
from clew.cli.entries import Entry, listed
from clew.cli.options import asks, print_json, server
from clew.cli.screen import clock, counted, grid, short, show, text
from clew.flow import default_flow, format_problems, load_flow
from clew.flow.document import compose_document, read_text
from clew.flow.nodes import Reader
from clew.model.errors import FlowError
from clew.model.flow import Flow
from clew.model.rule import RuleSet, Severity
from clew.rehearse.cases import CaseFile, load_cases
from clew.rehearse.play import Played, play, when
from clew.rules import default_rules, default_rules_text, load_rules
from clew.rules.words import rule_told
from clew.settings import Settings

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=False)
_STYLES = {Severity.CRITICAL: "bold red", Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


@click.group()
def rules() -> None:
    """What Clew tells people of: rules, checked, shown, and tried before they may wake anybody."""


@rules.command(epilog="""\b
Examples:
  clew rules check                                as a server that is started here would read them
  clew rules check rules.yaml                     a file, against the flow and the policies of the settings
  clew rules check rules.yaml --flow flow.yaml    against another flow; may be repeated

Exit code 1 when the rules have mistakes.
""")  # fmt: skip
@click.argument("file", type=_FILE, required=False)
@click.option(
    "--flow",
    "flow_files",
    type=_FILE,
    multiple=True,
    help="A declared flow; without, those of the settings. May be repeated.",
)
@click.option(
    "--notify",
    "notify_file",
    type=_FILE,
    help="The file that declares policies; without, that of the settings.",
)
def check(file: Path | None, flow_files: tuple[Path, ...], notify_file: Path | None) -> None:
    """Name line, key, cause and mend of every mistake in a file of rules. Needs no server.

    Without FILE it is the one that the settings name (CLEW_RULES).
    """
    settings = _settings()
    file, notify_file = file or settings.rules, notify_file or settings.notify
    flows = declared_flows(flow_files or settings.flow)
    found = named_rules(file, flows, policies_in(notify_file) if notify_file else None)
    tried = sum(not rule.notifies for rule in found.rules)
    told = f", {tried} of them only tried" if tried else ""
    click.echo(
        f"{file or 'the shipped file'} is right: rules {found.name} version {found.version}, "
        f"{counted(len(found.rules), 'rule')}{told}"
    )
    if file:
        names = ", ".join(f"{each.name} version {each.version}" for each in flows)
        click.echo(f"its stages and paths are declared by {names}")


@rules.command("show")
@click.argument("file", type=_FILE, required=False)
@click.option("--shipped", is_flag=True, help="Print the rules that ship with Clew, to copy; needs no server.")
@server
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")
def show_rules(file: Path | None, shipped: bool, url: str, as_json: bool) -> None:
    """The rules that watch, and the file that they come from; or those in FILE.

    Where no server answers, they are those by which one would watch that is started here.
    """
    if shipped:
        click.echo(default_rules_text(), nl=False)
        return
    if file:
        found, head = _in_file(file), str(file)
    else:
        found, head = _in_force(url)
    if as_json:
        print_json(found)
    else:
        show(render_rules(found["rules"], head, screen.console().width))


def _in_force(url: str) -> tuple[dict[str, Any], str]:
    """The rules that watch as the API tells them, and where they come from."""
    try:
        with open_client(url, None) as client:
            found = client.get("rules")
            who = f"rules by which {url} watches"
    except Unreachable:
        found = _in_file(_settings().rules)
        who = f"no Clew answers at {url}; one that is started here watches by"
    return found, f"{who}: {found['file'] or 'those that ship with Clew'}"


def _in_file(file: Path | None) -> dict[str, Any]:
    """The rules in a file (None: the shipped ones), as the API tells those that watch."""
    return {"file": str(file or ""), "rules": [rule_told(each) for each in named_rules(file).rules]}


@rules.command("test", epilog="""\b
Examples:
  clew rules test cases.yaml         what differs from what is expected
  clew rules test --shipped          the cases of the rules that ship with Clew

Exit code 1 when something is missing, or came that isn't expected.
""")  # fmt: skip
@click.argument("files", type=_FILE, nargs=-1)
@click.option("--shipped", is_flag=True, help="Play the cases that ship with Clew.")
@click.option("--verbose", "-v", is_flag=True, help="Also tell the alerts that came as expected.")
def test_rules(files: tuple[Path, ...], shipped: bool, verbose: bool) -> None:
    """Play written cases: events on a timeline, and the alerts that must come of them, no others. Needs no server.

    Journeys, losses, detectors and alerts are the real ones; only the clock is simulated.
    """
    if shipped:
        files = (*files, *sorted(shipped_cases()))
    if not files:
        raise click.UsageError("name a file of cases, or give --shipped")
    wrong = cases = 0
    for file in files:
        found = _cases(file)
        for case in found.cases:
            played = play(case, found.rules, found.flow, found.begin_ns)
            cases += 1
            wrong += bool(played.wrong)
            _tell(played, found.begin_ns, verbose)
    click.echo(
        f"{counted(cases, 'case')}, {wrong} of them not as expected"
        if wrong
        else f"{counted(cases, 'case')} as expected"
    )
    if wrong:
        raise SystemExit(1)


@rules.command("replay", epilog="""\b
Examples:
  clew rules replay --from 30d                     the rules that watch, over the last month
  clew rules replay new.yaml --rule stuck -v       one rule of a file, over the last week, with examples
""")  # fmt: skip
@click.argument("file", type=_FILE, required=False)
@click.option("--from", "from_", default="7d", show_default=True, metavar="TIME", help="7d, or 2026-11-22T08:15:00Z.")
@click.option("--to", default="", metavar="TIME", help="Before this moment.  [default: now]")
@click.option("--rule", "names", multiple=True, metavar="NAME", help="Only this rule. May be repeated.")
@click.option("--verbose", "-v", is_flag=True, help="Also tell the first alerts of each rule.")
@asks
def replay_rules(
    file: Path | None, from_: str, to: str, names: tuple[str, ...], verbose: bool, url: str, data: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """What rules (those that watch, or those in FILE) would have alerted over the past. Nobody is told of anything.

    Orders are refolded as they stood; spans, counts and silence are looked at minute by minute where they are kept.
    """
    body = file.read_text(encoding="utf-8") if file else ""
    with screen.working("trying the rules over the past"), open_client(url, data) as client:
        found = client.post("rules/replay", body, {"from": from_, "to": to, "rule": list(names)})
    if as_json:
        print_json(found)
    else:
        show(render_replayed(found, verbose=verbose))


def render_replayed(found: dict[str, Any], *, verbose: bool = False) -> RenderableType:
    """What rules would have done, as the terminal shows it."""
    head = f"rules {found['name']} from {clock(found['from_at'])} to {clock(found['to_at'])}"
    table = grid("RULE", "SEVERITY", "ALERTS", "INCIDENTS", "HEALED BY THEMSELVES", "LASTED (MEDIAN, P90)")
    notes: list[RenderableType] = []
    for each in found["rules"]:
        lasted = [short(each["lasted_median_s"]), short(each["lasted_p90_s"])] if each["ended"] else []
        table.add_row(
            text(each["rule"], "bold"), Text(each["severity"], style=_STYLES[Severity(each["severity"])]),
            Text(f"{each['alerts']:,}"), Text(f"{each['incidents']:,}"),
            Text(f"{each['ended']:,}" if each["alerts"] else ""), Text(", ".join(lasted)),
        )  # fmt: skip
        notes += [text(f"{each['rule']}: {each['note']}", "dim")] if each["note"] else []
        for example in each["examples"] if verbose else ():
            notes.append(text(f"{each['rule']} {clock(example['from_at'])} {example['reason']}"))
    return Group(text(head, "bold"), Text(""), table, *([Text("")] if notes else []), *notes)


def shipped_cases() -> list[Path]:
    """The files of cases that ship with Clew."""
    return [Path(str(each)) for each in (files_of("clew.rules") / "cases").iterdir() if each.name.endswith(".yaml")]


def _cases(file: Path) -> CaseFile:
    try:
        return load_cases(file)
    except FlowError as error:
        # The rules or the flow that the cases name may be what is wrong.
        raise mistakes(Path(error.name), error) from error


def _tell(played: Played, begin_ns: int, verbose: bool) -> None:
    click.echo(f"{'not as expected' if played.wrong else 'as expected'}: {played.name}")
    for difference in played.wrong:
        click.echo(f"  {difference}")
    for each in played.fired if verbose else ():
        click.echo(f"  {each.rule} {each.subject} {when(each.from_ns, each.until_ns, begin_ns)}: {each.reason}")


def declared_flows(files: Sequence[Path]) -> list[Flow]:
    """The flows in files; the shipped one without any. Raises CommandError with every mistake."""
    return [load(file) for file in files] if files else [default_flow()]


def load(file: Path) -> Flow:
    """The flow in a file. Raises CommandError with every mistake in it."""
    try:
        return load_flow(file)
    except FlowError as error:
        raise mistakes(file, error) from error


def policies_in(file: Path) -> list[str]:
    """The names of the policies that a file of channels and policies declares; of its own mistakes tells another
    command. Raises CommandError when it can't be read."""
    reader = Reader()
    try:
        root = compose_document(read_text(file, FlowError), str(file), "notify file", "declare policies", FlowError)
    except FlowError as error:
        raise mistakes(file, error) from error
    top = reader.mapping(root, "")
    return list(reader.mapping(top["policies"], "policies")) if "policies" in top else []


def named_rules(file: Path | None, flows: Sequence[Flow] = (), policies: Sequence[str] | None = None) -> RuleSet:
    """The rules in a file; the shipped ones without. Raises CommandError with the file's name and every mistake."""
    if file is None:
        return default_rules()
    try:
        return load_rules(file, flows, policies)
    except FlowError as error:
        raise mistakes(file, error) from error


def mistakes(file: Path, error: FlowError) -> CommandError:
    """Every mistake of a file, with the lines themselves."""
    content = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    count = "1 mistake" if len(error.problems) == 1 else f"{len(error.problems)} mistakes"
    return CommandError(f"{file} has {count}:\n\n{format_problems(error.problems, content)}")


def render_rules(found: list[dict[str, Any]], head: str, width: int) -> RenderableType:
    """Rules as the terminal shows them."""
    table = listed([_entry(rule) for rule in found], width, ("RULE", "SEVERITY", "FINDS", "ALERTS"))
    return Group(text(head, "bold"), Text(""), table)


def _entry(rule: dict[str, Any]) -> Entry:
    name, severity = text(rule["name"], "bold"), Text(rule["severity"], style=_STYLES[Severity(rule["severity"])])
    finds, alerts = text(rule["finds"]), text(rule["alerts"], "dim")
    return Entry("", (name, severity, finds, alerts), ((name, severity), (finds,), (alerts,)))


def _settings() -> Settings:
    """The settings of a server that is started here. Raises CommandError."""
    told, settings = read_settings(os.environ)
    if settings is None:
        raise CommandError(told.told, told.mend)
    return settings
