"""YAML to RuleSet; a wrong file is answered with every mistake at once, each with its line and mend.

text --compose--> nodes --read--> RuleSet (with gaps) --check--> RuleSet, or all problems of both steps
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import yaml

from clew.flow.document import compose_document, failure, read_text
from clew.flow.durations import parse_duration
from clew.flow.hours import hours_named, read_hours
from clew.flow.nodes import Reader, join
from clew.model.errors import RulesError
from clew.model.flow import Flow
from clew.model.rule import Explanation, Rule, RuleSet, Severity, Shape, Slow
from clew.model.week import WeekHours
from clew.rules.check import check_rules
from clew.rules.shapes import SHAPES
from clew.rules.values import Fields

TOP_KEYS = ("rules", "version", "hours", "defaults", "alerts")
DEFAULT_KEYS = ("severity", "labels", "owner", "runbook", "policy")
COMMON_KEYS = (
    "severity", "title", "labels", "owner", "runbook", "for", "hits", "keep_firing", "recover_below", "hours",
    "group_by", "explained_by", "policy", "notifies",
)  # fmt: skip

_BEGIN = "begin with 'rules: NAME' and 'alerts:' at the margin; see docs/write-rules.md"
_HITS = re.compile(r"([0-9]{1,3})\s+of\s+([0-9]{1,3})")


def parse_rules(
    text: str, name: str = "<rules>", flows: Sequence[Flow] = (), policies: Collection[str] | None = None
) -> RuleSet:
    """The rules that a YAML text declares.

    ``flows`` are the declared flows: what rules say of stages and paths must be theirs; none: it isn't looked at.
    ``policies`` are the names of the escalation policies (None: not looked at). Raises RulesError whose ``problems``
    name every mistake; ``name`` says in messages whose they are.
    """
    reader = Reader()
    root = compose_document(text, name, "rules file", _BEGIN, RulesError)
    rules = _read_set(reader, root)
    noted = {problem.key for problem in reader.problems}
    for fault in check_rules(rules, flows, policies):
        if not any(key == fault.key or key.startswith(f"{fault.key}.") for key in noted):
            reader.report(fault.key, fault.cause, fault.mend)
    if reader.problems:
        raise failure(name, reader.problems, RulesError)
    return rules


def load_rules(path: Path | str, flows: Sequence[Flow] = (), policies: Collection[str] | None = None) -> RuleSet:
    """The rules in a file; raises RulesError as `parse_rules`, and for a file that can't be read."""
    return parse_rules(read_text(Path(path), RulesError), str(path), flows, policies)


def default_rules() -> RuleSet:
    """The jeweller's rules that ship with Clew."""
    return parse_rules(default_rules_text(), "jeweller.yaml")


def default_rules_text() -> str:
    """The shipped rules as YAML, comments included: what a user copies to begin with."""
    return (files("clew.rules") / "jeweller.yaml").read_text(encoding="utf-8")


def _read_set(reader: Reader, root: yaml.Node) -> RuleSet:
    top = Fields(reader, root, "", TOP_KEYS)
    hours = read_hours(reader, top.body.get("hours"))
    defaults = Fields(reader, top.body.get("defaults"), "defaults", DEFAULT_KEYS)
    alerts = reader.mapping(top.body["alerts"], "alerts") if top.has("alerts") else {}
    rules = [_read_rule(reader, name, node, hours, defaults) for name, node in alerts.items()]
    return RuleSet(top.text("rules"), top.whole("version", 1), tuple(rule for rule in rules if rule is not None))


def _read_rule(
    reader: Reader, name: str, node: yaml.Node, hours: Mapping[str, WeekHours], defaults: Fields
) -> Rule | None:
    fields = Fields(reader, node, join("alerts", name), (*SHAPES, *COMMON_KEYS))
    shape = _read_shape(fields)
    if shape is None:
        return None
    hits, looks = _read_hits(fields)
    return Rule(
        name=name,
        shape=shape,
        severity=fields.word("severity", Severity, defaults.word("severity", Severity, Severity.ERROR)),
        title=fields.text("title"),
        labels={**defaults.mapping("labels"), **fields.mapping("labels")},
        owner=fields.text("owner") or defaults.text("owner"),
        runbook=fields.text("runbook") or defaults.text("runbook"),
        for_ns=fields.length("for", zero=True) or 0,
        hits=hits,
        looks=looks,
        recover_below=_read_bound(fields, shape),
        keep_firing_ns=fields.length("keep_firing", zero=True) or 0,
        hours=hours_named(reader, fields.body.get("hours"), fields.way("hours"), hours),
        group_by=fields.texts("group_by"),
        explained_by=tuple(_read_explanation(reader, *entry) for entry in _items(reader, fields)),
        policy=fields.text("policy") or defaults.text("policy"),
        notifies=fields.flag("notifies", True),
    )


def _items(reader: Reader, fields: Fields) -> list[tuple[str, yaml.Node]]:
    return list(reader.items(fields.body.get("explained_by"), fields.way("explained_by")))


def _read_shape(fields: Fields) -> Shape | None:
    written = [word for word in fields.body if word in SHAPES]
    if len(written) == 1:
        return SHAPES[written[0]](fields.reader, fields.body[written[0]], fields.way(written[0]))
    cause = f"{' and '.join(written)} in one rule" if written else "the rule looks for nothing"
    fields.wrong(written[1] if written else "", cause, f"write one of {', '.join(SHAPES)}")
    return None


def _read_hits(fields: Fields) -> tuple[int, int]:
    """``3 of 5``: hits and looks."""
    text = fields.text("hits")
    if not text:
        return 1, 1
    form = _HITS.fullmatch(text)
    if form is None:
        fields.wrong("hits", f"{text!r} doesn't say how many of how many looks", "write for example '3 of 5'")
        return 1, 1
    hits, looks = int(form[1]), int(form[2])
    if not 1 <= hits <= looks:
        fields.wrong("hits", f"{hits} hits of {looks} looks can't be", "write for example '3 of 5'")
        return 1, 1
    return hits, looks


def _read_bound(fields: Fields, shape: Shape) -> float | None:
    """``recover_below``: a number, or a length of time where lengths are measured; those count in seconds."""
    text = fields.text("recover_below")
    if not text:
        return None
    try:
        return parse_duration(text) / 1e9 if isinstance(shape, Slow) else float(text)
    except ValueError:
        mend = "write a length of time such as 800ms" if isinstance(shape, Slow) else "write a number such as 3"
        fields.wrong("recover_below", f"{text!r} is not what this rule measures", mend)
        return None


def _read_explanation(reader: Reader, key: str, node: yaml.Node) -> Explanation:
    """``dead-queue``, or ``{rule: dead-queue, equal: [queue]}``."""
    if isinstance(node, yaml.ScalarNode):
        return Explanation(reader.text(node, key))
    fields = Fields(reader, node, key, ("rule", "equal"))
    if not fields.text("rule"):
        fields.wrong("", "no rule that explains", "write for example {rule: dead-queue, equal: [queue]}")
    return Explanation(fields.text("rule"), fields.texts("equal"))
