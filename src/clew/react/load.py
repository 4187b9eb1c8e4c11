"""reactions.yaml to ReactionSet; a wrong file is answered with every mistake at once, each with its line and mend."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from importlib.resources import files
from pathlib import Path

import yaml

from clew.flow.document import compose_document, failure, read_text
from clew.flow.hours import hours_named, read_hours
from clew.flow.nodes import Reader, did_you_mean, join
from clew.model.errors import FlowError
from clew.model.reaction import Cluster, Conditions, Guards, IncidentFilter, Reaction, ReactionSet
from clew.model.rule import Severity
from clew.model.week import WeekHours
from clew.react.decide import HOUR_NS
from clew.react.fields import Fields, fields_of
from clew.react.load_actions import read_action, read_clusters

TOP_KEYS = ("reactions", "version", "hours", "clusters", "actions")
REACTION_KEYS = ("on", "when", "action", "guards")
ON_KEYS = ("rules", "severities", "labels")
WHEN_KEYS = ("alerts", "value_over", "waiting_over", "firing_for")
GUARD_KEYS = (
    *("cooldown", "most_per_hour", "confirmations", "hours", "dry_run"),
    *("needs_approval", "approve_within", "help_within"),
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_BEGIN = "begin with 'reactions: NAME' and 'actions:' at the margin; see docs/react.md"
_MANY = 1_000_000


class ReactionsError(FlowError):
    """A reactions file is wrong; ``problems`` as those of a flow."""


def parse_reactions(text: str, name: str = "<reactions>", rules: Collection[str] | None = None) -> ReactionSet:
    """The reactions that a YAML text declares; ``rules`` are the rules there are (None: nobody knows).

    Raises ReactionsError whose ``problems`` name every mistake; ``name`` says in messages whose they are.
    """
    root = compose_document(text, name, "file of reactions", _BEGIN, ReactionsError)
    reader = Reader()
    top = fields_of(reader, root, "", TOP_KEYS)
    hours = read_hours(reader, top.entries.get("hours"))
    clusters = read_clusters(reader, top.entries.get("clusters"))
    node = top.entries.get("actions")
    entries = {} if node is None else reader.mapping(node, "actions")
    if not entries:
        top.wrong("actions", "no actions", "declare some under 'actions:', or leave out the setting 'reactions'")
    read = [_reaction(reader, each, body, hours, clusters, rules) for each, body in entries.items()]
    set_name = top.text("reactions")
    if not set_name:
        top.wrong("reactions", "the name is missing", "begin with 'reactions: NAME'")
    version = reader.whole(top.entries.get("version"), "version", 1)
    if reader.problems:
        raise failure(name, reader.problems, ReactionsError)
    return ReactionSet(set_name, version, tuple(each for each in read if each is not None))


def load_reactions(path: Path | str, rules: Collection[str] | None = None) -> ReactionSet:
    """The reactions in a file; raises ReactionsError as `parse_reactions`, and for a file that can't be read."""
    return parse_reactions(read_text(Path(path), ReactionsError), str(path), rules)


def default_reactions_text() -> str:
    """The example that ships with Clew, comments included: what a user copies to begin with."""
    return (files("clew.react") / "jeweller.yaml").read_text(encoding="utf-8")


def _reaction(
    reader: Reader,
    name: str,
    node: yaml.Node,
    hours: Mapping[str, WeekHours],
    clusters: Mapping[str, Cluster],
    rules: Collection[str] | None,
) -> Reaction | None:
    said = fields_of(reader, node, join("actions", name), REACTION_KEYS)
    if not _NAME.fullmatch(name):
        said.wrong("", f"{name!r} is no name of a reaction", "use letters, digits, '-', '_' and '.', 100 at most")
    on = _on(said.below("on", ON_KEYS), rules)
    when = _when(said.below("when", WHEN_KEYS))
    guards = _guards(said.below("guards", GUARD_KEYS), hours)
    action = read_action(reader, said.entries.get("action"), join(said.key, "action"), name, clusters)
    return None if action is None else Reaction(name, action, on, when, guards)


def _on(said: Fields, rules: Collection[str] | None) -> IncidentFilter:
    on = IncidentFilter(
        rules=said.texts("rules"),
        severities=tuple(Severity(each) for each in said.words("severities", [each.value for each in Severity])),
        labels=said.named_texts("labels"),
    )
    if "rules" not in said and "labels" not in said:
        said.wrong("", "this would act on incidents of every kind", "name 'rules' or 'labels' of incidents under 'on'")
    for rule in on.rules:
        if rules is not None and rule not in rules:
            said.wrong("rules", f"there is no rule {rule!r}", did_you_mean(rule, rules))
    return on


def _when(said: Fields) -> Conditions:
    return Conditions(
        alerts=said.whole("alerts", 1, _MANY) or 1,
        value_over=said.number("value_over"),
        waiting_over=said.whole("waiting_over", 0, _MANY),
        firing_for_ns=said.length("firing_for", 0) or 0,
    )


def _guards(said: Fields, hours: Mapping[str, WeekHours]) -> Guards:
    default = Guards()
    return Guards(
        cooldown_ns=said.length("cooldown", default.cooldown_ns) or 0,
        most_per_hour=said.whole("most_per_hour", 1, 60) or default.most_per_hour,
        confirmations=said.whole("confirmations", 1, 1_000) or default.confirmations,
        hours=hours_named(said.reader, said.entries.get("hours"), join(said.key, "hours"), hours),
        dry_run=said.truth("dry_run", default.dry_run),
        needs_approval=said.truth("needs_approval", default.needs_approval),
        approve_within_ns=said.length("approve_within", default.approve_within_ns, 24 * HOUR_NS) or 0,
        help_within_ns=said.length("help_within", default.help_within_ns, 24 * HOUR_NS),
    )
