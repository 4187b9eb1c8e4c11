"""What the page of rules shows: pure functions from how rules stand to a typed context."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import urlencode, urlsplit

from clew.model.incident import IncidentState, PlannedSilence, Policy, PolicyStep
from clew.model.lengths import how_long
from clew.model.rule import Rule, Severity
from clew.watch.health import RuleStanding

_LABEL = re.compile(r"\{([a-z_]+)\}")
"""A label in the title of incidents."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rules are asked for: of a ``severity``, of an ``owner``, with a ``word`` in what is said of them (empty:
    any)."""

    severity: str = ""
    owner: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class SilenceWords:
    """A silence that holds now: what it ``covers`` of the rule (empty: all), ``until_ns`` (Unix ns), only in ``hours``
    (empty: always)."""

    covers: str
    until_ns: int
    hours: str


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule: its ``name``, the ``title`` of its incidents, and the ``terms``: what it finds, and when that is an
    alert. ``severity``, ``owner`` (empty: whom what it finds names) and ``labels`` in words are as declared;
    ``runbook`` is what to do, ``runbook_href`` the same where it can be followed. ``explained_by`` are rules whose
    incidents are told instead. ``policies`` are the names of those by which people may be told (none: nobody is),
    ``tried`` whether that is so because it is only tried. ``looked_ns`` is when it last looked (Unix ns; None: not
    yet), ``trouble`` why it can't (empty: it can). ``incidents`` (None: they can't be read) aren't
    resolved, ``waiting`` of them nobody has; ``href`` leads to all. ``silences`` hold now."""

    name: str
    title: str
    terms: tuple[str, ...]
    severity: str
    owner: str
    labels: str
    runbook: str
    runbook_href: str
    explained_by: tuple[str, ...]
    policies: tuple[str, ...]
    tried: bool
    looked_ns: int | None
    trouble: str
    incidents: int | None
    waiting: int
    href: str
    silences: tuple[SilenceWords, ...]


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """An escalation policy: its ``name``, and who is ``told`` by it and when, in words."""

    name: str
    told: str


@dataclass(frozen=True, slots=True)
class RulesPage:
    """The page of rules.

    ``lines`` are those asked for, in the order of their file, of ``total``; ``policies`` are those by which they tell;
    ``file`` is the name of that file (empty: they ship with Clew). ``severities`` (with their words) and ``owners`` can
    be chosen from, ``severity``, ``owner`` and ``word`` are. ``failing`` are the names of all rules that can't look;
    ``finding`` counts the rules that find something now. ``untold``: nobody is told of any incident. ``waits`` says
    which rules wait for what was held back while Clew was down, or why none watches (empty: all do). ``unread`` is why
    incidents and silences can't be read (empty: they can).
    """

    lines: tuple[RuleLine, ...]
    policies: tuple[PolicyLine, ...]
    total: int
    file: str
    severities: tuple[tuple[str, str], ...]
    owners: tuple[str, ...]
    severity: str
    owner: str
    word: str
    failing: tuple[str, ...]
    finding: int
    untold: bool
    waits: str
    unread: str


def rules_page(
    standing: Sequence[RuleStanding], asked: Asked, file: str, waits: str = "", unread: str = ""
) -> RulesPage:
    """The page of how rules stand; ``waits`` is why some don't look now, ``unread`` why incidents can't be read."""
    lines = [(each, rule_line(each)) for each in standing]
    shown = [(each, line) for each, line in lines if _is_asked(each, line, asked)]
    policies = {policy.name: policy for each, _ in shown for policy in each.policies}
    rules = [each.rule for each in standing]
    used = [each for each in Severity if any(rule.severity is each for rule in rules)]
    return RulesPage(
        lines=tuple(line for _, line in shown),
        policies=tuple(PolicyLine(name, policy_words(policy)) for name, policy in policies.items()),
        total=len(lines),
        file=PurePath(file).name,
        severities=(("", "All"), *((each.value, each.value.capitalize()) for each in used)),
        owners=tuple(sorted({rule.owner for rule in rules if rule.owner})),
        severity=asked.severity,
        owner=asked.owner,
        word=asked.word,
        failing=tuple(each.rule.name for each in standing if each.trouble),
        finding=sum(bool(each.incidents) for each in standing),
        untold=not any(each.policies for each in standing),
        waits=waits,
        unread=unread,
    )


def rule_line(standing: RuleStanding) -> RuleLine:
    """A rule in a line."""
    rule = standing.rule
    return RuleLine(
        name=rule.name,
        title=_LABEL.sub(lambda named: f"[{named[1].replace('_', ' ')}]", rule.title) or standing.finds,
        terms=((standing.finds,) if rule.title else ()) + tuple(_terms(rule)),
        severity=rule.severity.value,
        owner=rule.owner,
        labels=_label_words(rule.labels),
        runbook=rule.runbook,
        runbook_href=rule.runbook if urlsplit(rule.runbook).scheme in ("http", "https") else "",
        explained_by=tuple(each.rule for each in rule.explained_by),
        policies=tuple(each.name for each in standing.policies),
        tried=not rule.notifies,
        looked_ns=standing.looked_ns,
        trouble=standing.trouble,
        incidents=None if standing.incidents is None else len(standing.incidents),
        waiting=sum(each.state is IncidentState.OPEN for each in standing.incidents or ()),
        href="/incidents?" + urlencode({"rule": rule.name}),
        silences=tuple(_silence(each, rule) for each in standing.silences),
    )


def policy_words(policy: Policy) -> str:
    """Who is told and when until somebody acknowledges: ``duty at once, then boss 15 min later``."""
    told = ", then ".join(_step_words(step, first=index == 0) for index, step in enumerate(policy.steps))
    again = f"; all of it {policy.repeat} more time{'s' if policy.repeat > 1 else ''}" if policy.repeat else ""
    return f"{told}{again}"


def _step_words(step: PolicyStep, *, first: bool) -> str:
    later = f"{how_long(step.after_ns)} later"
    when = later if step.after_ns else "at once" if first else "at the same time"
    return f"{' and '.join(step.channels)} {when}{f' (only {step.hours.name})' if step.hours else ''}"


def _terms(rule: Rule) -> list[str]:
    """When what is found becomes an alert, until when it stays one, and which alerts are one incident."""
    said = (
        f"holds for {how_long(rule.for_ns)}" if rule.for_ns else "",
        f"is found by {rule.hits} of {rule.looks} looks" if rule.looks > 1 else "",
        f"only in hours {rule.hours.name} ({rule.hours.zone})" if rule.hours else "",
        f"goes on {how_long(rule.keep_firing_ns)} after it was last found" if rule.keep_firing_ns else "",
        f"one incident for each {', '.join(name.replace('_', ' ') for name in rule.group_by)}" if rule.group_by else "",
    )
    return [each for each in said if each]


def _silence(silence: PlannedSilence, rule: Rule) -> SilenceWords:
    own = {**rule.labels, "rule": rule.name}
    rest = {name: text for name, text in silence.labels.items() if name not in own}
    return SilenceWords(_label_words(rest), silence.until_ns, silence.hours.name if silence.hours else "")


def _label_words(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {labels[name]}" for name in sorted(labels))


def _is_asked(standing: RuleStanding, line: RuleLine, asked: Asked) -> bool:
    told = [f"{each.name} {policy_words(each)}" for each in standing.policies]
    said = " ".join((line.name, line.title, *line.terms, line.owner, line.labels, line.runbook, *told)).casefold()
    return (
        asked.severity in ("", line.severity)
        and asked.owner in ("", line.owner)
        and all(word in said for word in asked.word.casefold().split())
    )
