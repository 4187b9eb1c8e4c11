"""Replaces methods of a client library, reversibly."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("clew_sdk")

Method = Callable[..., Any]


class Patches:
    """The replaced methods of one library; put back by undo()."""

    def __init__(self) -> None:
        self._originals: list[tuple[type, str, Method]] = []

    def __bool__(self) -> bool:
        """Whether something is replaced now."""
        return bool(self._originals)

    def replace(self, owner: type, name: str, make: Callable[[Method], Method]) -> None:
        """Replace a method by what ``make`` returns for the original."""
        original = vars(owner)[name]
        self._originals.append((owner, name, original))
        setattr(owner, name, functools.wraps(original)(make(original)))

    def undo(self) -> None:
        """Put the originals back."""
        while self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)


def step_aside(package: str, instrumentor: str) -> None:
    """Switch off OpenTelemetry's own instrumentation of the same client: two would tell of every message twice."""
    module = f"opentelemetry.instrumentation.{package}"
    if module not in sys.modules:
        return
    active = getattr(importlib.import_module(module), instrumentor)()
    if active.is_instrumented_by_opentelemetry:
        active.uninstrument()
        logger.warning("%s was active and is switched off: clew-sdk traces %s itself", instrumentor, package)
