"""How times and lengths of time look in JSON: the one place that decides.

A moment is RFC 3339 text in UTC with nine decimals (``2026-11-22T08:15:00.000000001Z``): sortable as text and exact to
the nanosecond, which an integer of nanoseconds is not once JavaScript has read it. Its field ends in ``_at``. A length
of time is a number of seconds, exact to the nanosecond up to a hundred days. Its field ends in ``_s``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from clew.flow.durations import parse_duration

SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def moment(at_ns: int) -> str:
    """A moment as text."""
    seconds, rest = divmod(at_ns, SECOND_NS)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def moment_or_none(at_ns: int | None) -> str | None:
    """A moment as text; None and 0 mean that there is none."""
    return moment(at_ns) if at_ns else None


def seconds(length_ns: int) -> float:
    """A length of time as a number of seconds."""
    return length_ns / SECOND_NS


def parse_moment(text: str, now_ns: int) -> int:
    """Unix nanoseconds of a moment as text, or of a length of time before now such as ``15m``.

    Without a zone it is UTC. Raises ValueError with the mend.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        try:
            return now_ns - parse_duration(text)
        except ValueError:
            raise ValueError(f"{text!r} is no moment: write 2026-11-22T08:15:00Z, or 15m for 15 minutes ago") from None
    date, clock, fraction, zone = match.groups()
    try:
        at = datetime.fromisoformat(f"{date}T{clock or '00:00'}{(zone or 'Z').replace('Z', '+00:00')}")
    except ValueError as error:
        raise ValueError(f"{text!r} is no moment: {error}") from None
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_NS + int((fraction or "").ljust(9, "0"))


def parse_length(text: str) -> int:
    """Nanoseconds of a length of time such as ``250ms`` or ``1h30m``, or of a plain number of seconds.

    Raises ValueError with the mend.
    """
    try:
        return parse_duration(text)
    except ValueError:
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
            whole, _, fraction = text.partition(".")
            return int(whole) * SECOND_NS + int(fraction.ljust(9, "0"))
        raise ValueError(f"{text!r} is no length of time: write 250ms, 1s or 1h30m") from None
