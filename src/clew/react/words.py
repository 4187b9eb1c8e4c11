"""Words about reactions, and texts from outside made fit to be kept and shown."""

from __future__ import annotations

from typing import assert_never

from clew.model.reaction import Action, Command, ReactionRun, Restart, Scale, Webhook

LONGEST_TOLD = 2_000
"""Characters of an answer or an output that are kept of a run."""


def in_words(action: Action) -> str:
    """What an action does: ``restart deployment shop/shop-api``."""
    match action:
        case Restart():
            return f"restart {action.target}"
        case Scale():
            return f"scale {action.target} {_how_far(action)}, within {action.least} to {action.most}"
        case Command():
            return f"run {action.target}"
        case Webhook():
            return f"call {action.target}"
        case _:
            assert_never(action)


def left_open(run: ReactionRun) -> str:
    """What stays open after a run whose end nobody saw; nothing does after a dry one."""
    return "and nothing was done" if run.dry_run else f"so nobody knows whether it was done; look at {run.target}"


def _how_far(action: Scale) -> str:
    if action.by is None:
        return f"to {action.to}"
    return f"up by {action.by}" if action.by > 0 else f"down by {-action.by}"


def tidy(told: str, longest: int = LONGEST_TOLD) -> str:
    """A text from outside in one line: nothing in it that a terminal obeys or a database refuses.

    What is longer than ``longest`` loses its middle, as programs tell first what they do and last why they failed.
    """
    line = " ".join("".join(each if each.isprintable() else " " for each in told).split())
    if len(line) <= longest:
        return line
    head = longest // 3
    return f"{line[:head]} […] {line[len(line) - (longest - head - 5) :]}"
