"""Why an action didn't do what it should. The message names cause and mend, and never a secret."""

from __future__ import annotations

from clew.model.errors import ClewError


class ActionFailed(ClewError):
    """An action failed, and trying again at once wouldn't help."""


class ActionPassing(ActionFailed):
    """It may work in a moment, and trying again can't do it twice."""


class ActionUnknown(ActionFailed):
    """Nobody knows whether it was done, and trying again might do it twice."""
