"""How Clew itself does, as rules about it ask: since when it isn't ready, or refuses, and how far journeys are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clew.model.watched import PipelineState

_REFUSING_NS = 60 * 10**9
"""It refuses as long as it refused anything within so long."""


@dataclass(slots=True)
class PipelineBook:
    """Remembers since when. ``problem`` says why Clew isn't ready (None: it is), ``refused`` counts refused requests
    since the start, ``journeys_ns`` is the moment up to which journeys are rebuilt (0: not begun)."""

    problem: Callable[[], str | None]
    refused: Callable[[], int]
    journeys_ns: Callable[[], int]
    _not_ready_ns: int | None = None
    _refused_before: int = 0
    _refused_ns: int | None = None
    _refusing_ns: int | None = None
    _base: int = 0

    def at(self, now_ns: int) -> PipelineState:
        """How it does at a moment; moments don't go back."""
        why = self.problem()
        self._not_ready_ns = None if why is None else self._not_ready_ns or now_ns
        self._count(self.refused(), now_ns)
        return PipelineState(
            journeys_ns=self.journeys_ns() or now_ns,
            not_ready_ns=self._not_ready_ns,
            why=why or "",
            refusing_ns=self._refusing_ns,
            refused=self._refused_before - self._base,
        )

    def _count(self, refused: int, now_ns: int) -> None:
        if refused > self._refused_before:
            if self._refusing_ns is None:
                self._refusing_ns, self._base = now_ns, self._refused_before
            self._refused_ns = now_ns
        elif self._refused_ns is not None and now_ns - self._refused_ns > _REFUSING_NS:
            self._refusing_ns = self._refused_ns = None
        self._refused_before = refused
