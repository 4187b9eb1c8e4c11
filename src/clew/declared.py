"""What people declared in files: rules, who is told, automated actions; read at the start and again on request."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from clew.flow import parse_flow
from clew.flow.document import read_text
from clew.model.errors import FlowError
from clew.model.flow import Flow
from clew.model.reaction import Reaction, ReactionSet
from clew.model.rule import Rule, RuleSet
from clew.notify.channels.contract import Channel
from clew.notify.channels.heartbeat import Switch
from clew.notify.channels.registry import Registry
from clew.notify.load import Notify, load_notify
from clew.react.load import load_reactions
from clew.rules import default_rules, load_rules
from clew.settings import Settings

Read = TypeVar("Read")


_NO_REACTIONS = ReactionSet("none", 1, ())


@dataclass(frozen=True, slots=True)
class Declared:
    """What people declared: the texts of flows (none: those applied last stay), rules, who is told, and reactions."""

    flows: tuple[str, ...] = ()
    rules: RuleSet = field(default_factory=default_rules)
    notify: Notify[Channel, Switch] = field(default_factory=lambda: Notify("nobody", 1))
    reactions: ReactionSet = _NO_REACTIONS


class DeclaredError(FlowError):
    """Files of declarations are wrong; the message and ``problems`` name every mistake of every file."""


def declared_by(
    settings: Settings, environment: Mapping[str, str] = os.environ, flows: Sequence[Flow] = ()
) -> Declared:
    """What the files say that the settings name; without any, the shipped rules, and nobody is told.

    ``flows`` are those in force: what rules say of stages and paths must be theirs, or those of flow files (none: it
    isn't looked at). Raises DeclaredError.
    """
    failed: list[FlowError] = []

    def read(load: Callable[[Path], Read], path: Path | None) -> Read | None:
        try:
            return None if path is None else load(path)
        except FlowError as error:
            failed.append(error)
            return None

    texts = [read(_flow_text, Path(path)) for path in settings.flow]
    held = [parse_flow(text) for text in texts if text] if flows and texts else flows
    secrets = Registry(environment, settings.notify.parent if settings.notify else Path())
    notify = read(lambda path: load_notify(path, secrets), settings.notify)
    policies = None if notify is None else list(notify.policies.policies)
    rules = read(lambda path: load_rules(path, held, policies), settings.rules)
    names = None if rules is None and settings.rules else [each.name for each in (rules or default_rules()).rules]
    reactions = read(lambda path: load_reactions(path, names), settings.reactions)
    if failed:
        raise DeclaredError("\n".join(map(str, failed)), [problem for error in failed for problem in error.problems])
    default = Declared()
    return Declared(
        tuple(text for text in texts if text),
        rules or default.rules,
        notify or default.notify,
        reactions or default.reactions,
    )


def _flow_text(path: Path) -> str:
    """The text of a flow without mistakes."""
    text = read_text(path, FlowError)
    parse_flow(text, str(path))
    return text


def changes(before: Declared, after: Declared) -> list[str]:
    """What differs but for flows, a line for each kind of declaration; empty: nothing does.

    Secrets are compared by nobody: a channel of the same name may have a new one.
    """
    parts: dict[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
        "rules": (_by_name(before.rules.rules), _by_name(after.rules.rules)),
        "channels": (
            {name: (each.kind, each.told) for name, each in before.notify.channels.items()},
            {name: (each.kind, each.told) for name, each in after.notify.channels.items()},
        ),
        "policies": (before.notify.policies.policies, after.notify.policies.policies),
        "notify": (_others(before.notify), _others(after.notify)),
        "reactions": (_by_name(before.reactions.reactions), _by_name(after.reactions.reactions)),
    }
    told = [_changed(kind, old, new) for kind, (old, new) in parts.items()]
    return [each for each in told if each]


def _by_name(declared: Iterable[Rule | Reaction]) -> dict[str, object]:
    return {each.name: each for each in declared}


def _others(notify: Notify[Channel, Switch]) -> dict[str, object]:
    """What has no name of its own."""
    beats = notify.heartbeat and (notify.heartbeat.every_ns, notify.heartbeat.method)
    return {"routes": notify.policies.routes, "limits": notify.per_minute} | ({"heartbeat": beats} if beats else {})


def _changed(kind: str, old: Mapping[str, object], new: Mapping[str, object]) -> str:
    words = {
        "new": [name for name in new if name not in old],
        "changed": [name for name in new if name in old and new[name] != old[name]],
        "gone": [name for name in old if name not in new],
    }
    told = "; ".join(f"{word}: {', '.join(names)}" for word, names in words.items() if names)
    return f"{kind}: {told}" if told else ""
