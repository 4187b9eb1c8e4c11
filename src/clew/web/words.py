"""How moments, lengths of time and numbers are written on a page: pure functions, the filters of every template."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from clew.journey.remarks import in_words
from clew.model.lengths import how_brief, how_long

_SECOND_NS = 10**9


def _local(at_ns: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ns // _SECOND_NS, UTC).astimezone(zone)


def clock(at_ns: int, zone: ZoneInfo, near_ns: int = 0) -> str:
    """A moment in a zone: the time alone on the same day as ``near_ns``, the date as well on any other."""
    shown = _local(at_ns, zone)
    if near_ns and _local(near_ns, zone).date() == shown.date():
        return f"{shown:%H:%M:%S}"
    return f"{shown:%Y-%m-%d %H:%M:%S}"


def exact(at_ns: int, zone: ZoneInfo) -> str:
    """A moment to the microsecond with its zone: ``2026-11-22 08:15:00.123456 +0100 (Europe/Berlin)``."""
    shown = _local(at_ns, zone)
    fraction = at_ns % _SECOND_NS // 1_000
    return f"{shown:%Y-%m-%d %H:%M:%S}.{fraction:06d} {shown:%z} ({zone.key})"


def iso(at_ns: int) -> str:
    """A moment for programs: RFC 3339 in UTC with milliseconds, the form of ``<time datetime>``."""
    shown = datetime.fromtimestamp(at_ns // _SECOND_NS, UTC)
    return f"{shown:%Y-%m-%dT%H:%M:%S}.{at_ns % _SECOND_NS // 10**6:03d}Z"


def length(length_ns: int) -> str:
    """A length of time for people: ``2 h 10 min``, ``3 days 4 h``."""
    return how_long(length_ns)


def brief(length_ns: int) -> str:
    """A length of time of a program: ``340 µs``, ``12.3 ms``, ``1.24 s``."""
    return how_brief(length_ns)


def spell(length_ns: int) -> str:
    """A length of time in a stage, which may be of any size: ``3 days 4 h``, ``1.2 s``, ``340 ms``, ``0 s``."""
    if length_ns >= 10 * _SECOND_NS:
        return how_long(length_ns)
    if length_ns >= _SECOND_NS:
        return f"{length_ns / _SECOND_NS:.1f} s".replace(".0 ", " ")
    return f"{length_ns / 1e6:.3g} ms" if length_ns else "0 s"


def ago(at_ns: int, now_ns: int) -> str:
    """How long before now a moment was: ``42 min ago``; "just now" within the last second, "in 5 min" ahead of it."""
    if at_ns - now_ns >= _SECOND_NS:
        return f"in {how_long(at_ns - now_ns)}"
    return "just now" if now_ns - at_ns < _SECOND_NS else f"{how_long(now_ns - at_ns)} ago"


def number(value: float) -> str:
    """A number with thin groups: ``12,345``, ``0.25``, ``1.2``; an absent one (NaN) is a dash."""
    if value != value:
        return "-"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def share(value: float) -> str:
    """A share as per cent: ``12 %``, ``0.4 %``; never 100 % or 0 % of what isn't all or nothing."""
    if value != value:
        return "-"
    percent = value * 100
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    if 99.5 <= percent < 100:
        return f"{percent:.1f} %"
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"


def size(count: int) -> str:
    """Bytes for people: ``812 B``, ``4.2 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    else:
        unit = "GB"
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def counted(count: int, what: str) -> str:
    """``1 span``, ``2,000 spans``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def rate(a_minute: float) -> str:
    """How often something happens, by the longest time that it happens in once: ``40/min``, ``1.42/h``, ``2/day``."""
    for often, unit in ((a_minute, "min"), (a_minute * 60, "h")):
        if often >= 1:
            return f"{number(often)}/{unit}"
    return f"{number(a_minute * 1_440)}/day" if a_minute else "0"


def order_href(order_id: str) -> str:
    """The address of an order's page. A slash in the id is no part of the way: browsers shorten ``/../``."""
    return f"/orders/{quote(order_id, safe='')}"


def service_href(service: str) -> str:
    """The address of a service's page; a slash in the name is no part of the way, as for orders."""
    return f"/services/{quote(service, safe='')}"


def verdict(kind: str) -> str:
    """A verdict, a reason or a deviation in words, as everywhere: ``in_jeopardy`` is "in jeopardy"."""
    return in_words(kind)
