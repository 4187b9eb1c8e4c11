"""Reads some blocks of five minutes instead of all, where a span of time holds more than a page can wait for."""

from __future__ import annotations

from dataclasses import dataclass

_BLOCK_NS = 5 * 60 * 10**9

SAMPLED_BLOCKS = """SELECT toDateTime(300 * arrayJoin(range({first_block:UInt32}, {end_block:UInt32}, {one_in:UInt32})),
    'UTC')"""
"""The beginnings of the blocks that are read; bound by `Sample.bindings`."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Every ``one_in``-th of the blocks from ``first`` up to ``end`` (numbers of blocks since 1970)."""

    first: int
    end: int
    one_in: int

    @staticmethod
    def of(since_ns: int, until_ns: int, one_in: int) -> Sample:
        """The sample of a span of time; of 1 in 1 nothing is left out, and no block is named."""
        if one_in == 1:
            return Sample(0, 0, 1)
        return Sample(since_ns // _BLOCK_NS, -(-until_ns // _BLOCK_NS), one_in)

    def bindings(self) -> dict[str, object]:
        """The values that `SAMPLED_BLOCKS` needs."""
        return {"first_block": self.first, "end_block": self.end, "one_in": self.one_in}

    def of_all(self, counted: int) -> int:
        """What was counted in the sample, as an estimate of all."""
        blocks = self.end - self.first
        return round(counted * blocks / -(-blocks // self.one_in)) if blocks else counted
