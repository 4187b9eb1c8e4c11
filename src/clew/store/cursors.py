"""Cursors: where a page of a list ended, as text that goes through a URL. They come back from outside."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from clew.model.errors import ClewError

Place = TypeVar("Place")


class BadCursor(ClewError):
    """The page cursor is not one that Clew gave."""


def encode_cursor(*parts: object) -> str:
    """A cursor that holds these numbers and texts."""
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode_cursor(text: str, place: Callable[..., Place]) -> Place:
    """The place in a list that ``place`` makes of a cursor's parts. Raises BadCursor.

    The parts may be anything that JSON has, as many as somebody forged; ``place`` raises ValueError over wrong ones.
    """
    try:
        parts: list[Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return place(*parts)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadCursor("the cursor is not one that Clew gave; start again without it") from error
