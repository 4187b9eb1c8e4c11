"""The JSON API: thin over the store, one error form, described by OpenAPI."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clew.api.app import create_api
    from clew.api.deps import ApiDeps

__all__ = ["ApiDeps", "create_api"]

_HOMES = {"ApiDeps": "clew.api.deps", "create_api": "clew.api.app"}


def __getattr__(name: str) -> object:
    """Import on first use: commands need ``clew.api.times`` alone, and FastAPI would double the time they take."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
