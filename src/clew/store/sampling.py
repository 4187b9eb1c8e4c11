"""Reads some blocks of five minutes instead of all, where a span of time holds more than a page can wait for."""

from __future__ import annotations

from dataclasses import dataclass

BLOCK_NS = 5 * 60 * 10**9

# One of each stretch of the time, so that day and night have their share; which one by a hash, as every twelfth block
# would be the same five minutes of each hour: what runs hourly is there or is not.
_CHOSEN = """SELECT {first_block:UInt32} + arrayJoin(range({all_blocks:UInt32})) AS block
    ORDER BY cityHash64(block), block
    LIMIT 1 BY intDiv((block - {first_block:UInt32}) * {read_blocks:UInt32}, {all_blocks:UInt32})"""
SAMPLED_BLOCKS = f"SELECT toDateTime(300 * block, 'UTC') FROM ({_CHOSEN})"
"""The beginnings of the blocks that are read; bound by `Sample.bindings`."""
SAMPLED_AND_BEFORE = f"SELECT toDateTime(300 * (block - arrayJoin([0, 1])), 'UTC') FROM ({_CHOSEN})"
"""The same with the block just before each of them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One of ``one_in`` blocks from ``first`` up to ``end`` (numbers of blocks since 1970), always the same ones."""

    first: int
    end: int
    one_in: int

    @staticmethod
    def of(since_ns: int, until_ns: int, one_in: int) -> Sample:
        """The sample of a span of time; of 1 in 1 nothing is left out, and no block is named."""
        if one_in == 1:
            return Sample(0, 0, 1)
        return Sample(since_ns // BLOCK_NS, -(-until_ns // BLOCK_NS), one_in)

    @property
    def read(self) -> int:
        """How many blocks are read."""
        return -(-(self.end - self.first) // self.one_in)

    def bindings(self) -> dict[str, object]:
        """The values that `SAMPLED_BLOCKS` needs, and ``one_in``."""
        return {
            "first_block": self.first, "all_blocks": self.end - self.first, "read_blocks": self.read,
            "one_in": self.one_in,
        }  # fmt: skip

    def of_all(self, counted: int) -> int:
        """What was counted in the blocks that are read, as an estimate of all."""
        return round(counted * (self.end - self.first) / self.read) if self.read else counted
