"""What the address of a view asks for: the API's parameters, and what the page makes easier to say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from clew.api.asked import Asked
from clew.web.time_range import local_moment

DEFAULT_RANGE = "30d"
EVERYTHING = "all"
COMMON = ("flow", "from", "to", "by", "path", "attribute", "flow_version", "against", "against_path")
"""The parameters of every view, which go along from one to the next."""

Pairs = Iterable[tuple[str, str]]


def with_defaults(asked: Asked, zone: ZoneInfo) -> Asked:
    """What is asked for with the last 30 days where no begin is given; ``all`` is no begin.

    Moments without a zone are those of the viewer's clocks.
    """
    begin = asked.from_ or (DEFAULT_RANGE if not asked.to else "")
    parts = [local_moment(each, zone) for each in asked.against.split("..")]
    return replace(
        asked,
        from_="" if begin == EVERYTHING else local_moment(begin, zone),
        to=local_moment(asked.to, zone),
        against="..".join(parts) if all(parts) else "",
    )


def query_of(asked: Asked, *, by: bool = True, **more: str) -> str:
    """The query string with which the API answers the same; ``by``: what lies in the range can be chosen there."""
    pairs = [
        ("flow", asked.flow),
        ("from", asked.from_),
        ("to", asked.to),
        ("by", asked.by.value if by else ""),
        ("path", asked.path),
        *(("attribute", each) for each in asked.attributes),
        ("flow_version", "" if asked.flow_version is None else str(asked.flow_version)),
        ("against", asked.against),
        ("against_path", asked.against_path),
        *more.items(),
    ]
    return urlencode([(name, value) for name, value in pairs if value])


def common(pairs: Pairs) -> list[tuple[str, str]]:
    """The parameters that go along to another view."""
    return [(name, value) for name, value in pairs if name in COMMON and value]


def joined(pairs: Pairs) -> str:
    """A range to compare with that a form sends as its two ends, as the one parameter that it is; empty without
    both."""
    given = dict(pairs)
    begin, end = given.get("against_from", "").strip(), given.get("against_to", "").strip()
    return f"{begin}..{end}" if begin and end else ""
