"""What people declared in files: rules, who is told, automated actions; read at the start and again on request."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from clew.model.errors import FlowError
from clew.model.reaction import ReactionSet
from clew.model.rule import RuleSet
from clew.notify.channels.contract import Channel
from clew.notify.channels.heartbeat import Switch
from clew.notify.channels.registry import Registry
from clew.notify.load import Notify, load_notify
from clew.react.load import load_reactions
from clew.rules import default_rules, load_rules
from clew.settings import Settings

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Declared:
    """What people declared: rules, who is told (nobody without a file), and automated actions (None: no file)."""

    rules: RuleSet = field(default_factory=default_rules)
    notify: Notify[Channel, Switch] = field(default_factory=lambda: Notify("nobody", 1))
    reactions: ReactionSet | None = None


class DeclaredError(FlowError):
    """Files of declarations are wrong; the message and ``problems`` name every mistake of every file."""


def declared_by(settings: Settings, environment: Mapping[str, str] = os.environ) -> Declared:
    """What the files say that the settings name; without any, the shipped rules, and nobody is told.

    Raises DeclaredError.
    """
    failed: list[FlowError] = []
    notify: Notify[Channel, Switch] | None = Notify("nobody", 1)
    if settings.notify:
        registry = Registry(environment, settings.notify.parent)
        notify = _read(lambda path: load_notify(path, registry), settings.notify, failed)
    policies = list(notify.policies.policies) if settings.notify and notify else None
    rules: RuleSet | None = default_rules()
    if settings.rules:
        rules = _read(lambda path: load_rules(path, policies=policies), settings.rules, failed)
    reactions = None
    if settings.reactions:
        names = [rule.name for rule in rules.rules] if rules else None
        reactions = _read(lambda path: load_reactions(path, names), settings.reactions, failed)
    if failed or rules is None or notify is None:
        problems = [problem for error in failed for problem in error.problems]
        raise DeclaredError("\n".join(map(str, failed)), problems)
    return Declared(rules, notify, reactions)


def _read(load: Callable[[Path], Read], path: Path, failed: list[FlowError]) -> Read | None:
    try:
        return load(path)
    except FlowError as error:
        failed.append(error)
        return None


def changes(before: Declared, after: Declared) -> list[str]:
    """What differs, a line for each kind of declaration; empty: nothing does.

    Secrets are compared by nobody: a channel of the same name may have a new one.
    """
    parts: dict[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
        "rules": (
            {each.name: each for each in before.rules.rules},
            {each.name: each for each in after.rules.rules},
        ),
        "channels": (
            {name: (each.kind, each.told) for name, each in before.notify.channels.items()},
            {name: (each.kind, each.told) for name, each in after.notify.channels.items()},
        ),
        "policies": (before.notify.policies.policies, after.notify.policies.policies),
        "reactions": (_reactions(before), _reactions(after)),
    }
    told = [_changed(kind, old, new) for kind, (old, new) in parts.items()]
    if before.notify.policies.routes != after.notify.policies.routes:
        told.append("routes: changed")
    return [each for each in told if each]


def _reactions(declared: Declared) -> dict[str, object]:
    return {each.name: each for each in declared.reactions.reactions} if declared.reactions else {}


def _changed(kind: str, old: Mapping[str, object], new: Mapping[str, object]) -> str:
    words = {
        "new": [name for name in new if name not in old],
        "changed": [name for name in new if name in old and new[name] != old[name]],
        "gone": [name for name in old if name not in new],
    }
    told = "; ".join(f"{word}: {', '.join(names)}" for word, names in words.items() if names)
    return f"{kind}: {told}" if told else ""
