"""Keeps the minutes of spans rolled up: new ones as soon as they are closed, and those to which something came late.

It isn't a materialized view, since that would add to the fixed cost of every insert, and it needs no bookkeeping of its
own: a roll-up counts what it has seen, so comparing that with the spans there are tells what is left to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from clew.store.contract import Store
from clew.store.marks import read_mark, write_mark
from clew.store.minutes import MARK, roll_up

BLOCK_NS = 5 * 60 * 10**9
"""What is rolled up at once; spans are sorted by it."""
CLOSED_AFTER_NS = 3 * 60 * 10**9
"""How long after its end a block is rolled up; until then its spans are read themselves."""
MEND_EVERY_S = 600.0
"""How often blocks to which something came late are looked for."""

_DAY_NS = 86_400 * 10**9
_AT_ONCE_S = 2.0

# Whole days are counted from the heads of the parts alone.
_DAYS = "SELECT toDate(ts) AS day, count() AS n FROM spans GROUP BY day ORDER BY day"
_DAYS_ROLLED_UP = """
SELECT toDate(minute) AS day, sum(received) AS n FROM span_minutes FINAL GROUP BY day ORDER BY day
SETTINGS do_not_merge_across_partitions_select_final = 1"""

_BLOCKS = """
SELECT toUnixTimestamp(toStartOfFiveMinutes(toDateTime(ts, 'UTC'))) AS block, count() AS n FROM spans
WHERE ts >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
GROUP BY block ORDER BY block"""
_BLOCKS_ROLLED_UP = """
SELECT toUnixTimestamp(toStartOfFiveMinutes(minute)) AS block, sum(received) AS n FROM span_minutes FINAL
WHERE minute >= toDateTime(intDiv({from:Int64}, 1000000000), 'UTC')
AND minute < toDateTime(intDiv({to:Int64}, 1000000000), 'UTC')
GROUP BY block"""


@dataclass(slots=True)
class RollUp:
    """Rolls spans up into minutes. One thread at a time; it may be killed anywhere.

    ``keep_days`` is how long minutes are kept (0: for ever): older ones aren't made again.
    """

    store: Store
    keep_days: int = 0
    now_ns: Callable[[], int] = time.time_ns
    clock: Callable[[], float] = time.monotonic
    _mended_s: float | None = None

    def step(self) -> bool:
        """Roll up what is closed, for about two seconds; whether there is more to do. Raises StoreError."""
        until = self.clock() + _AT_ONCE_S
        closed_ns = (self.now_ns() - CLOSED_AFTER_NS) // BLOCK_NS * BLOCK_NS
        done_ns = read_mark(self.store, MARK)
        if done_ns is None or done_ns < closed_ns:
            return self._advance(done_ns or 0, closed_ns, until)
        if self._mended_s is None or self.clock() - self._mended_s >= MEND_EVERY_S:
            more = self._roll_up(self._late(done_ns), until)
            self._mended_s = None if more else self.clock()
            return more
        return False

    def _advance(self, done_ns: int, closed_ns: int, until: float) -> bool:
        """Go on from where it is; the mark moves after what it stands for is durable."""
        for from_ns, to_ns in self._days(done_ns, closed_ns):
            for block_ns in self._counted(_BLOCKS, from_ns, to_ns):
                if self.clock() >= until:
                    write_mark(self.store, MARK, block_ns)
                    return True
                roll_up(self.store, block_ns, block_ns + BLOCK_NS)
        write_mark(self.store, MARK, closed_ns)
        return False

    def _days(self, from_ns: int, to_ns: int) -> Iterator[tuple[int, int]]:
        """The parts of a range that lie in one day each, of days that have spans and are kept."""
        for row in self.store.rows(_DAYS):
            day_ns = _start_of(row["day"])
            part = max(from_ns, day_ns), min(to_ns, day_ns + _DAY_NS)
            if part[0] < part[1] and day_ns >= self._kept_from_ns():
                yield part

    def _late(self, done_ns: int) -> Iterator[int]:
        """Blocks before a moment of which more spans are there than were rolled up.

        Where fewer are there, spans were deleted by age, and their minutes are kept longer.
        """
        rolled_up = {row["day"]: int(row["n"]) for row in self.store.rows(_DAYS_ROLLED_UP)}
        for row in self.store.rows(_DAYS):
            day_ns = _start_of(row["day"])
            if day_ns < done_ns and day_ns >= self._kept_from_ns() and int(row["n"]) > rolled_up.get(row["day"], 0):
                to_ns = min(done_ns, day_ns + _DAY_NS)
                known = self._counted(_BLOCKS_ROLLED_UP, day_ns, to_ns)
                there = self._counted(_BLOCKS, day_ns, to_ns)
                yield from (block_ns for block_ns, n in there.items() if n > known.get(block_ns, 0))

    def _roll_up(self, blocks_ns: Iterable[int], until: float) -> bool:
        for block_ns in blocks_ns:
            if self.clock() >= until:
                return True
            roll_up(self.store, block_ns, block_ns + BLOCK_NS)
        return False

    def _counted(self, query: str, from_ns: int, to_ns: int) -> dict[int, int]:
        rows = self.store.rows(query, {"from": from_ns, "to": to_ns})
        return {int(row["block"]) * 10**9: int(row["n"]) for row in rows}

    def _kept_from_ns(self) -> int:
        return self.now_ns() - self.keep_days * _DAY_NS if self.keep_days else 0


def _start_of(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9
