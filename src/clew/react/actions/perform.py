"""Does what a reaction says, and tries again where that can't do it twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from clew.model.reaction import Action, Command, Restart, Scale, Webhook
from clew.react.actions.command import run_command
from clew.react.actions.contract import Occasion, Outside
from clew.react.actions.failures import ActionFailed, ActionPassing
from clew.react.actions.restart import restart
from clew.react.actions.scale import scale
from clew.react.actions.webhook import call_webhook

PAUSES_S = (1.0, 4.0)
"""Seconds before the second and the third attempt."""


def perform(action: Action, occasion: Occasion, outside: Outside, rest: Callable[[float], object]) -> str:
    """Do it; what was done in words. ``rest`` waits some seconds. Raises ActionFailed, after three attempts at most."""
    for pause_s in PAUSES_S:
        try:
            return _once(action, occasion, outside)
        except ActionPassing:
            rest(pause_s)
    try:
        return _once(action, occasion, outside)
    except ActionPassing as error:
        raise ActionFailed(f"{error} (tried {len(PAUSES_S) + 1} times)") from None


def _once(action: Action, occasion: Occasion, outside: Outside) -> str:
    match action:
        case Restart():
            return restart(action, occasion.at_ns, occasion.dry)
        case Scale():
            return scale(action, occasion.dry)
        case Command():
            return run_command(action, occasion, outside)
        case Webhook():
            return call_webhook(action, occasion, outside)
        case _:
            assert_never(action)
