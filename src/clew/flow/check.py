"""What makes a flow wrong as a whole, whoever wrote it: pure, and blind to YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from clew.flow.graph import Ways
from clew.flow.nodes import close_match, did_you_mean, join
from clew.flow.patterns import pattern_fault
from clew.model.flow import ANY_PATH, Flow, Stage, StageRule

_LONGEST = 100
_NAME = re.compile(r"\w(?:[\w ./-]{0,98}\w)?")
NAME_RULE = "use letters, digits, '_', '-', '.', '/' and inner spaces, 100 at most"
_STAGE_RULE = "use printable signs without '>', no spaces at the ends, 100 at most"
_ACCEPTED = re.compile(r"(skipped|repeated|unknown_stage):([^>]+)|(out_of_sequence):([^>]*)>([^>]+)")


class Fault(NamedTuple):
    """One mistake at a dotted key, with its cause and mend."""

    key: str
    cause: str
    mend: str


def check_flow(flow: Flow) -> Iterator[Fault]:
    """Every mistake in a flow that has the right form; nothing when it can be used."""
    yield from _check_names(flow)
    if not flow.stages:
        yield Fault("stages", "no stages", "declare at least a first and a terminal stage")
        return
    for stage in flow.stages:
        yield from _check_stage(flow, stage)
    if all(stage.terminal is None for stage in flow.stages):
        yield Fault("stages", "no terminal stage: no order could ever end", "give the last stage 'terminal: closed'")
    yield from _check_paths(flow)
    yield from _check_reach(flow)
    yield from _check_accepted(flow)


def fits_stage(name: str) -> bool:
    """Whether a stage may have this name: freer than others, since history brings names that nobody chose for Clew."""
    return 0 < len(name) <= _LONGEST and name.isprintable() and ">" not in name and name == name.strip()


def fits_name(name: str) -> bool:
    """Whether a flow or a path may have this name."""
    return _NAME.fullmatch(name) is not None


def _check_names(flow: Flow) -> Iterator[Fault]:
    if not flow.name:
        yield Fault("flow", "the flow has no name", "write for example 'flow: jeweller'")
    named = [("flow", flow.name, fits_name, NAME_RULE)] if flow.name else []
    named += [(join("stages", stage.name), stage.name, fits_stage, _STAGE_RULE) for stage in flow.stages]
    named += [(join("paths", path), path, fits_name, NAME_RULE) for path in flow.paths]
    for key, name, fits, rule in named:
        if not fits(name):
            yield Fault(key, f"{name!r} can't be a name" if name else "an empty name", rule)
    if "" in flow.transit_limits:
        yield Fault("transit", "an empty destination", "name the destination, or '*' for all")


def _check_stage(flow: Flow, stage: Stage) -> Iterator[Fault]:
    key = join("stages", stage.name)
    names = [each.name for each in flow.stages if each is not stage]
    for index, after in enumerate(stage.next):
        place = f"{key}.next[{index}]"
        if after == stage.name:
            yield Fault(place, f"{after} can't follow itself", "remove it: a stage entered twice in a row counts once")
        elif after not in names:
            yield Fault(place, f"{after!r} is not a stage of this flow", did_you_mean(after, names))
    if stage.terminal and stage.next:
        yield Fault(f"{key}.next", "a terminal stage has no next", "remove 'next', or 'terminal'")
    if stage.terminal and stage.limits:
        yield Fault(f"{key}.limit", "a terminal stage has no limit", "remove 'limit' and 'warn'")
    if not stage.terminal and not stage.next:
        yield Fault(key, "a dead end: neither next nor terminal", "name the 'next' stages, or write 'terminal: closed'")
    for path in stage.limits:
        if path != ANY_PATH and path not in flow.paths:
            yield Fault(
                f"{key}.limit.{path}", f"{path!r} is not a path of this flow", did_you_mean(path, [*flow.paths])
            )
    for index, rule in enumerate(stage.rules):
        yield from _check_rule(flow, rule, f"{key}.rules[{index}]")


def _check_rule(flow: Flow, rule: StageRule, key: str) -> Iterator[Fault]:
    if not (rule.service or rule.span.rstrip("*") or rule.where):
        mend = "name a 'service', a 'span' or attributes under 'where'"
        yield Fault(key, "the rule has no condition, so every span would match", mend)
    if "*" in rule.span[:-1]:
        yield Fault(join(key, "span"), "'*' is read at the end only", "write the beginning of the span name, then '*'")
    if "" in rule.where:
        yield Fault(join(key, "where"), "an empty attribute name", "name the attribute, for example http.route")
    if rule.path and rule.path not in flow.paths:
        yield Fault(
            join(key, "path"), f"{rule.path!r} is not a path of this flow", did_you_mean(rule.path, [*flow.paths])
        )
    if rule.order_url and rule.order_attribute:
        yield Fault(
            join(key, "order_url"), "the order id can't come from two places", "keep order_url or order_attribute"
        )
    if rule.order_url:
        fault = pattern_fault(rule.order_url)
        if fault is not None:
            mend = "write an RE2 expression with one group around the id, for example /orders/([^/]+)"
            yield Fault(join(key, "order_url"), fault, mend)


def _check_paths(flow: Flow) -> Iterator[Fault]:
    names = [stage.name for stage in flow.stages]
    for path, entries in flow.paths.items():
        key = join("paths", path)
        if not entries:
            yield Fault(key, "the path has no entry stage", "name the stage in which its orders begin")
        for index, entry in enumerate(entries):
            if entry not in names:
                yield Fault(f"{key}[{index}]", f"{entry!r} is not a stage of this flow", did_you_mean(entry, names))


def _check_reach(flow: Flow) -> Iterator[Fault]:
    """Stages no order can come to. A misspelt name counts as the one it was meant for."""
    names = [stage.name for stage in flow.stages]
    mended = Flow(
        name=flow.name,
        version=flow.version,
        stages=tuple(Stage(each.name, next=tuple(_meant(after, names) for after in each.next)) for each in flow.stages),
    )
    ways = Ways(mended)
    reached = {_meant(entry, names) for entries in flow.paths.values() for entry in entries}
    reached |= {after for entry in reached for after in ways.reach(entry)}
    for name in names:
        if name not in reached:
            mend = "add it to the 'next' of the stage before it, or make it an entry of a path"
            yield Fault(join("stages", name), "no order can reach this stage", mend)


def _meant(name: str, names: list[str]) -> str:
    return name if name in names else close_match(name, names) or name


def _check_accepted(flow: Flow) -> Iterator[Fault]:
    names = [stage.name for stage in flow.stages]
    for text in sorted(flow.accepted):
        key = join("accept", text)
        form = _ACCEPTED.fullmatch(text)
        if form is None:
            mend = "write skipped:STAGE, repeated:STAGE, unknown_stage:STAGE or out_of_sequence:FROM>TO"
            yield Fault(key, f"{text!r} is no deviation", mend)
        elif form[1] != "unknown_stage":
            for name in (form[2], form[4], form[5]):
                if name and name not in names:
                    yield Fault(key, f"{name!r} is not a stage of this flow", did_you_mean(name, names))
