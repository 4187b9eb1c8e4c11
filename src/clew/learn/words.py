"""Words for comments and tables."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_SHOWN = 8
_LONGEST = 60


def named(name: str) -> str:
    """A name from telemetry as part of one printable line: as it is, or escaped when it holds other signs."""
    told = name if name and name.isprintable() else ascii(name)
    return told if len(told) <= _LONGEST else told[: _LONGEST - 1] + "…"


def counted(number: int, what: str) -> str:
    """``1 order``, ``2,000 orders``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def times(number: int) -> str:
    """``once``, ``2 times``."""
    return "once" if number == 1 else f"{number:,} times"


def in_few(items: Iterable[str]) -> str:
    """The first few items of a list, and how many more there are."""
    rest = iter(items)
    shown = list(islice(rest, _SHOWN))
    left = sum(1 for _ in rest)
    return ", ".join(shown) + (f" and {left} more" if left else "")


def percent(share: float) -> str:
    """A share for people: ``97 %``, ``0.4 %``; never rounded to all or nothing."""
    if share == 0:
        return "0 %"
    if share < 0.0005:
        return "under 0.1 %"
    if share < 0.1 or 0.99 < share < 1:
        return f"{min(share * 100, 99.9) if share < 1 else 100:.1f} %"
    return f"{share * 100:.0f} %"
