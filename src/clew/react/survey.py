"""What reactions need of the machine that Clew runs on, and lack: programs, secrets, files of clusters.

Nothing is called and nothing is run: `clew reactions try` asks the cluster or looks the address up, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml

from clew.model.errors import Problem
from clew.model.reaction import Action, Command, ReactionSet, Restart, Scale
from clew.react.actions.cluster import lacks_of_cluster
from clew.react.actions.command import lacks_of_command
from clew.react.actions.contract import Lack, Outside
from clew.react.actions.webhook import lacks_of_webhook


@dataclass(frozen=True, slots=True)
class Lacking:
    """A reaction that can't act, what it lacks, and the way of keys to where its file names that."""

    reaction: str
    way: tuple[str, ...]
    lack: Lack


def survey(reactions: ReactionSet, outside: Outside) -> Iterator[Lacking]:
    """Everything that reactions lack here, in the order of their file."""
    for reaction in reactions.reactions:
        for way, lack in _lacks(reaction.action, outside):
            whole = way if way[0] == "clusters" else ("actions", reaction.name, "action", *way)
            yield Lacking(reaction.name, whole, lack)


def _lacks(action: Action, outside: Outside) -> Iterator[tuple[tuple[str, ...], Lack]]:
    if isinstance(action, Restart | Scale):
        kind = "restart" if isinstance(action, Restart) else "scale"
        for lack in lacks_of_cluster(action.cluster, outside.environment):
            yield ("clusters", action.cluster.name, lack.key) if action.cluster.name else (kind, lack.key), lack
    elif isinstance(action, Command):
        yield from ((("command", lack.key), lack) for lack in lacks_of_command(action, outside))
    else:
        yield from ((("webhook", lack.key), lack) for lack in lacks_of_webhook(action, outside))


def problems(found: Iterable[Lacking], text: str) -> list[Problem]:
    """The same as mistakes in the file with this text, in its order; what several reactions share is told once."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    told = {_problem(root, each) for each in found}
    return sorted(told, key=lambda each: (each.line, each.column, each.cause))


def _problem(root: yaml.Node | None, lacking: Lacking) -> Problem:
    node, mark = root, root.start_mark if root else None
    for word in lacking.way:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next(((key, value) for key, value in pairs if key.value == word), None)
        if found is None:
            break  # merged from elsewhere, or left out
        mark, node = found[0].start_mark, found[1]
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return Problem(line, column, ".".join(lacking.way), lacking.lack.cause, lacking.lack.mend)
