"""Accepted deviations: plain text, or with who accepts them, why, and until when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import yaml

from clew.flow.nodes import Reader, is_empty, join
from clew.model.flow import Acceptance

ACCEPT_KEYS = ("deviation", "author", "reason", "expires")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS = 1_000_000_000
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


def read_acceptances(reader: Reader, node: yaml.Node | None) -> dict[str, Acceptance]:
    """The accepted deviations in the file's order, each with what is said of it.

    Each is placed by its text below ``accept``, since that is how a mistake in it is named.
    """
    found: dict[str, Acceptance] = {}
    for key, item in reader.items(node, "accept"):
        if isinstance(item, yaml.MappingNode):
            place, text, said = _read_entry(reader, item, key)
        else:
            place, text, said = item, reader.text(item, key), Acceptance()
        if text in found:
            reader.report(key, f"{text!r} is in the list twice", "keep one of the two", place)
        elif text:
            reader.places[join("accept", text)] = place
            found[text] = said
        elif is_empty(item):
            reader.report(key, "an empty item", "remove it or give it a value", item)
    return found


def _read_entry(reader: Reader, node: yaml.MappingNode, key: str) -> tuple[yaml.Node, str, Acceptance]:
    body = reader.mapping(node, key, ACCEPT_KEYS)
    text = reader.text(body.get("deviation"), join(key, "deviation"))
    if not text:
        mend = "write for example 'deviation: skipped:STAGE'"
        reader.report(join(key, "deviation"), "the deviation itself is missing", mend, body.get("deviation", node))
    said = Acceptance(
        author=reader.text(body.get("author"), join(key, "author")),
        reason=reader.text(body.get("reason"), join(key, "reason")),
        expires_ns=_expires(reader, body.get("expires"), join(key, "expires")),
    )
    return body.get("deviation", node), text, said


def _expires(reader: Reader, node: yaml.Node | None, key: str) -> int | None:
    text = reader.text(node, key)
    if not text:
        return None
    try:
        return parse_expiry(text)
    except ValueError as error:
        reader.report(key, str(error), "write a date such as 2027-01-01, or 2027-01-01T12:00:00Z", node)
        return None


def parse_expiry(text: str) -> int:
    """Unix nanoseconds of a date (its first moment in UTC) or of a moment to the second, UTC without a zone.

    Raises ValueError with the cause.
    """
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"{text!r} is no date")
    try:
        at = datetime.fromisoformat(text)
        since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no date of the calendar") from None
    seconds = since.days * 86_400 + since.seconds
    if not 0 <= seconds < (1 << 62) // _SECOND_NS:
        raise ValueError(f"{text!r} is not between 1970 and 2116")
    return seconds * _SECOND_NS


def render_expiry(expires_ns: int) -> str:
    """The shortest text of an expiry in UTC; `parse_expiry` reads it back, to the second."""
    at = _EPOCH + timedelta(seconds=expires_ns // _SECOND_NS)
    return f"{at:%Y-%m-%d}" if at.time() == datetime.min.time() else f"{at:%Y-%m-%dT%H:%M:%SZ}"
