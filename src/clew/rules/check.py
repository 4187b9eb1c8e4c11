"""What makes rules wrong as a whole, whoever wrote them: pure, and blind to YAML."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator, Mapping, Sequence

from clew.flow.check import NAME_RULE, Fault, fits_name
from clew.flow.durations import render_duration
from clew.flow.nodes import did_you_mean, join
from clew.model.flow import Flow
from clew.model.rule import (
    BurnRate,
    Deviates,
    InStage,
    Judged,
    NotReached,
    OnHold,
    OrderFilter,
    Pipeline,
    ProjectedLate,
    QueueWaits,
    Rule,
    RuleSet,
    Silence,
    Slow,
    SpanCondition,
    SpansSeen,
    Surge,
    TooEarly,
)
from clew.rules.shapes import NAMES

MINUTES_ONLY_BEYOND_NS = 6 * 3600 * 10**9
"""Longer windows are counted from minutes, not from spans, so they know service, work, errors and HTTP 5xx alone."""

LONGEST_SPANS_NS = 3600 * 10**9
"""The longest window of the shapes that read the spans themselves at every look."""

_ORDERS = ("flow", "stage", "path", "verdict", "service", "queue", "lost_reason", "error")
_SHAPE_LABELS: Mapping[type, tuple[str, ...]] = {
    **dict.fromkeys((Judged, InStage, NotReached, TooEarly, OnHold, ProjectedLate, Deviates), _ORDERS),
    SpansSeen: ("service", "operation", "error"),
    Slow: ("service", "operation"),
    Surge: ("path", "service", "stage"),
    BurnRate: ("service",),
    Silence: ("service",),
    QueueWaits: ("queue", "service"),
    Pipeline: ("trouble",),
}


def labels_of(rule: Rule) -> tuple[str, ...]:
    """The names of the labels that findings of a rule may have."""
    return (*_SHAPE_LABELS[type(rule.shape)], *rule.labels)


def check_rules(rules: RuleSet, flows: Sequence[Flow] = (), policies: Collection[str] | None = None) -> Iterator[Fault]:
    """Every mistake in rules that have the right form; nothing when they can be used.

    Without flows stages, paths and flows aren't looked at; with ``policies`` None, policies aren't.
    """
    if not rules.name:
        yield Fault("rules", "the rules have no name", "write for example 'rules: jeweller'")
    if not rules.rules:
        yield Fault("alerts", "no rules", "declare one below 'alerts:'")
    names = [rule.name for rule in rules.rules]
    for rule in rules.rules:
        key = join("alerts", rule.name)
        if not fits_name(rule.name):
            yield Fault(key, f"{rule.name!r} can't be a name" if rule.name else "an empty name", NAME_RULE)
        yield from _check_labels(rule, key)
        yield from _check_explanations(rules, rule, key, names)
        yield from _check_lengths(rule, key)
        if policies is not None and rule.policy and rule.policy not in policies:
            mend = did_you_mean(rule.policy, [*policies]) or "declare it in the file of channels and policies"
            yield Fault(join(key, "policy"), f"no policy {rule.policy!r} is declared", mend)
        if flows:
            yield from _check_flows(rule, join(key, NAMES[type(rule.shape)]), flows)


def title_labels(title: str) -> list[str]:
    """The labels that a title names in braces. Raises ValueError for braces that don't close."""
    return [name for _, name, _, _ in string.Formatter().parse(title) if name is not None]


def _check_labels(rule: Rule, key: str) -> Iterator[Fault]:
    known = labels_of(rule)
    try:
        named = title_labels(rule.title)
    except ValueError:
        yield Fault(join(key, "title"), "a brace without its other one", "write {label}, or no braces")
        named = []
    for name in named:
        if name not in known:
            yield Fault(join(key, "title"), f"findings of this rule have no label {name!r}", did_you_mean(name, known))
    for index, name in enumerate(rule.group_by):
        if name not in known:
            place = f"{key}.group_by[{index}]"
            yield Fault(place, f"findings of this rule have no label {name!r}", did_you_mean(name, known))
    for name in sorted({"rule", "severity"} & rule.labels.keys()):
        yield Fault(f"{key}.labels.{name}", f"{name!r} is Clew's own label", "give it another name")


def _check_explanations(rules: RuleSet, rule: Rule, key: str, names: Sequence[str]) -> Iterator[Fault]:
    by_name = {each.name: each for each in rules.rules}
    for index, said in enumerate(rule.explained_by):
        place = f"{key}.explained_by[{index}]"
        other = by_name.get(said.rule)
        if said.rule == rule.name:
            yield Fault(place, "a rule can't explain itself", "remove it")
        elif other is None:
            others = [name for name in names if name != rule.name]
            yield Fault(place, f"{said.rule!r} is no rule of this file", did_you_mean(said.rule, others))
        else:
            for name in said.equal:
                if name not in labels_of(rule) or name not in labels_of(other):
                    both = [each for each in labels_of(rule) if each in labels_of(other)]
                    yield Fault(
                        f"{place}.equal", f"the two rules don't both have a label {name!r}", did_you_mean(name, both)
                    )
    if _explains_itself(rule, by_name):
        yield Fault(
            f"{key}.explained_by", "rules that explain each other in a circle", "remove one of the explanations"
        )


def _explains_itself(rule: Rule, by_name: Mapping[str, Rule]) -> bool:
    seen: set[str] = set()
    ask = [said.rule for said in rule.explained_by if said.rule != rule.name]
    while ask:
        name = ask.pop()
        if name == rule.name:
            return True
        if name not in seen and name in by_name:
            seen.add(name)
            ask += [said.rule for said in by_name[name].explained_by]
    return False


def _check_lengths(rule: Rule, key: str) -> Iterator[Fault]:
    shape = rule.shape
    place = join(key, NAMES[type(shape)])
    if isinstance(shape, SpansSeen | Slow) and shape.window_ns > LONGEST_SPANS_NS:
        longest = render_duration(LONGEST_SPANS_NS)
        yield Fault(join(place, "window"), f"longer than {longest}", "take a shorter window, or a burn rate or a surge")
    long = isinstance(shape, BurnRate) and any(each.long_ns > MINUTES_ONLY_BEYOND_NS for each in shape.windows)
    if isinstance(shape, BurnRate) and long and not by_minutes(shape):
        mend = "say which spans by services, work, errors_only or http: 5xx alone, or take shorter windows"
        yield Fault(join(place, "windows"), "windows over 6h are counted from minutes, which don't know that", mend)
    measured = recovery_bound(rule)
    if rule.recover_below is not None and (measured is None or rule.recover_below > measured):
        cause = "this rule measures nothing that could fall" if measured is None else f"above the bound {measured:g}"
        mend = "remove it" if measured is None else "write a bound that is lower than the rule's own"
        yield Fault(join(key, "recover_below"), cause, mend)


def recovery_bound(rule: Rule) -> float | None:
    """The bound that a rule's measured value is held against; None where ``recover_below`` makes no sense."""
    match rule.shape:
        case Slow(above_ns=above_ns):
            return above_ns / 1e9
        case SpansSeen(at_least=at_least) | QueueWaits(at_least=at_least):
            return float(at_least)
        case _:
            return None


def by_minutes(shape: BurnRate) -> bool:
    """Whether a burn rate can be counted from minutes of spans."""
    return _plain(shape.spans) and _told_by_minutes(shape.bad)


def _plain(condition: SpanCondition) -> bool:
    """Whether services and work alone say which spans count."""
    return condition == SpanCondition(services=condition.services, work=condition.work)


def _told_by_minutes(bad: SpanCondition) -> bool:
    return bad in (
        SpanCondition(errors_only=True),
        SpanCondition(http_from=500, http_to=599),
        SpanCondition(http_from=500, http_to=500),
    )


def _check_flows(rule: Rule, key: str, flows: Sequence[Flow]) -> Iterator[Fault]:
    picked = list(flows)
    orders: OrderFilter | None = getattr(rule.shape, "orders", None)
    if orders is not None:
        names = [flow.name for flow in flows]
        yield from _unknown(join(key, "flows"), orders.flows, names, "flow that is declared")
        picked = [flow for flow in flows if not orders.flows or flow.name in orders.flows]
    stages = list(dict.fromkeys(stage.name for flow in picked for stage in flow.stages))
    paths = list(dict.fromkeys(path for flow in picked for path in flow.paths))
    if not picked:
        return
    if orders is not None:
        yield from _unknown(join(key, "stages"), orders.stages, stages, "stage of these flows")
        yield from _unknown(join(key, "paths"), orders.paths, paths, "path of these flows")
    for word, named in _named_stages(rule):
        yield from _unknown(join(key, word), named, stages, "stage of these flows")
    if isinstance(rule.shape, InStage) and rule.shape.used is not None:
        limited = {each.name for flow in picked for each in flow.stages if each.limits}
        wanted = (orders.stages if orders else ()) or ()
        for name in wanted:
            if name in stages and name not in limited:
                yield Fault(join(key, "used"), f"{name} has no limit to use a share of", "write 'longer_than' instead")


def _named_stages(rule: Rule) -> Iterator[tuple[str, tuple[str, ...]]]:
    match rule.shape:
        case NotReached(stage=stage, of=of) | TooEarly(stage=stage, of=of):
            yield "stage", (stage,) if stage else ()
            yield "of", (of,) if of else ()
        case Deviates(at=at):
            # A stage that the flow doesn't know is what an unknown_stage is about.
            yield "at", () if any(kind == "unknown_stage" for kind in rule.shape.kinds) else at
        case Surge(stage=stage):
            yield "stage", (stage,) if stage else ()


def _unknown(key: str, named: Collection[str], known: Sequence[str], what: str) -> Iterator[Fault]:
    for name in named:
        if name not in known:
            yield Fault(key, f"{name!r} is no {what}", did_you_mean(name, known))
