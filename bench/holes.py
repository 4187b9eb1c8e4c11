"""Fills the holes of a round: new ids, times and order numbers, by numpy on byte positions found once.

Filling costs a fraction of a microsecond a span, so the sender does not take the cores that it measures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.shop import ORDER, SPAN, STAGES, TIME, TRACE, Round

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
ORDER_DIGITS = 8


@dataclass(frozen=True, slots=True)
class _Holes:
    at: Numbers
    number: Numbers


class Template:
    """One request with holes."""

    def __init__(self, request: bytes, spans: int) -> None:
        self.spans = spans
        self.size = len(request)
        self._bytes: Bytes = np.frombuffer(request, np.uint8)
        self._traces = _find(request, TRACE)
        self._spans = _find(request, SPAN)
        self._times = _find(request, TIME)
        self._orders, self._steps = _find_orders(request)

    def fill(self, ids: Ids, begin_ns: int, chance: np.random.Generator) -> bytes:
        """The request with these ids; times begin at ``begin_ns`` and are uneven below a microsecond."""
        out = self._bytes.copy()
        out[self._traces.at[:, None] + np.arange(16)] = ids.traces[self._traces.number]
        out[self._spans.at[:, None] + np.arange(8)] = ids.spans[self._spans.number]
        uneven = chance.integers(0, 1000, len(self._times.at))
        times = (begin_ns + self._times.number * 1000 + uneven).astype("<u8")
        out[self._times.at[:, None] + np.arange(8)] = times.view(np.uint8).reshape(-1, 8)
        if len(self._orders.at):
            numbers = ids.order(self._orders.number, self._steps)
            digits = numbers[:, None] // 10 ** np.arange(ORDER_DIGITS - 1, -1, -1) % 10 + ord("0")
            out[self._orders.at[:, None] + np.arange(ORDER_DIGITS)] = digits
        return out.tobytes()


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of one sending of a round.

    An order takes one step every ``lag`` rounds, so its journey goes on while others begin.
    """

    number: int
    traces: Bytes
    spans: Bytes
    orders: int
    first_order: int
    lag: int

    @classmethod
    def new(cls, round_: Round, number: int, chance: np.random.Generator, first_order: int, lag: int) -> Ids:
        """Random ids for the round of that number."""
        traces = np.frombuffer(chance.bytes(round_.traces * 16), np.uint8).reshape(-1, 16)
        spans = np.frombuffer(chance.bytes(round_.spans * 8), np.uint8).reshape(-1, 8)
        return cls(number, traces, spans, round_.orders, first_order, lag)

    def order(self, order: Numbers, step: Numbers) -> Numbers:
        """The numbers of the orders that take these steps in this round."""
        began = self.number - step * self.lag + len(STAGES) * self.lag
        return self.first_order + began * self.orders + order


def templates(round_: Round) -> list[Template]:
    """Every request of a round with its holes found."""
    return [Template(request, spans) for request, spans in zip(round_.requests, round_.spans_a_request, strict=True)]


def _find(request: bytes, marker: bytes) -> _Holes:
    found = list(re.finditer(re.escape(marker) + b"(.{4})", request, re.DOTALL))
    numbers = np.array([int.from_bytes(match[1]) for match in found], np.int64)
    return _Holes(np.array([match.start() for match in found], np.int64), numbers)


def _find_orders(request: bytes) -> tuple[_Holes, Numbers]:
    found = list(re.finditer(re.escape(ORDER.encode()) + rb"(\d{4})(\d{4})", request))
    orders = np.array([int(match[1]) for match in found], np.int64)
    steps = np.array([int(match[2]) for match in found], np.int64)
    return _Holes(np.array([match.start(1) for match in found], np.int64), orders), steps
