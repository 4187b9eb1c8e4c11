"""Words of others in sentences that a support person understands."""

from __future__ import annotations

_LONGEST = 160


def in_short(text: str) -> str:
    """The first line of somebody else's text, cut at 160 characters, so that a sentence stays one."""
    first = text.strip().partition("\n")[0].strip()
    return first if len(first) <= _LONGEST else first[: _LONGEST - 1].rstrip() + "…"
