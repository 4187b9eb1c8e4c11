"""Lengths of time in words, the same wherever Clew tells one."""

from __future__ import annotations

_UNITS = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def how_long(length_ns: int) -> str:
    """A length of time in at most two neighbouring units, rounded down: ``2 h 10 min``, ``3 days 4 h``.

    Under one second it is "less than 1 s"; a negative length counts as zero.
    """
    seconds = length_ns // 1_000_000_000
    for index, (unit, size) in enumerate(_UNITS):
        if seconds >= size:
            number, rest = divmod(seconds, size)
            words = [_count(number, unit)]
            smaller = rest // _UNITS[index + 1][1] if index + 1 < len(_UNITS) else 0
            if smaller:
                words.append(_count(smaller, _UNITS[index + 1][0]))
            return " ".join(words)
    return "less than 1 s"


def largest_unit(length_ns: int) -> str:
    """A length of time in its largest unit alone, rounded down: ``3 h``. Sentences that are looked at again and again
    seldom change so."""
    seconds = max(length_ns, 0) // 1_000_000_000
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), ("s", 1))
    return _count(seconds // size, unit)


def how_brief(length_ns: int) -> str:
    """A length of time of a program: ``340 µs``, ``12.3 ms``, ``1.24 s``, from a minute on as `how_long`."""
    if length_ns >= 60_000_000_000:
        return how_long(length_ns)
    if length_ns >= 1_000_000_000:
        return f"{length_ns / 1e9:.2f} s"
    if length_ns >= 1_000_000:
        return f"{length_ns / 1e6:.1f} ms"
    return f"{length_ns / 1e3:.0f} µs"


def ago(at_ns: int, now_ns: int) -> str:
    """How long before now a moment was: ``42 min ago``; "just now" within the last second."""
    return "just now" if now_ns - at_ns < 1_000_000_000 else f"{how_long(now_ns - at_ns)} ago"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}s" if unit == "day" and number != 1 else f"{number} {unit}"
