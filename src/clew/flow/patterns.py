r"""Which regular expressions the engine's RE2 understands just as Python does.

A rule's expression runs inside the engine, where a bad one would refuse telemetry. So it is checked
when the flow is read, by Python's compiler and by the scan below, which refuses what RE2 lacks or
reads otherwise. As in RE2, ``\w``, ``\d``, ``\s`` and ``\b`` know ASCII only.
Source: https://github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

import re

MOST_CHARACTERS = 300
MOST_REPEATS = 200
"""RE2 refuses over 1000 repeats and programs over a memory limit; an order id needs far fewer."""

_ESCAPES = frozenset("dDwWsSbBAafnrtv")
_GROUP_HEAD = re.compile(r"\?(?::|P<[A-Za-z_]\w*>|[ims]+[:)])", re.ASCII)
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}", re.ASCII)
_TOKEN = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\()|(?P<close>\))|(?P<brace>\{)|(?P<repeat>[*+?])|.",
    re.DOTALL,
)


def pattern_fault(pattern: str) -> str | None:
    """Why the expression can't be used, or None when it can; it must have exactly one capture group."""
    if len(pattern) > MOST_CHARACTERS:
        return f"longer than {MOST_CHARACTERS} characters"
    try:
        fault = _scan(pattern)
        if fault is not None:
            return fault
        groups = re.compile(pattern, re.ASCII).groups
    except (re.error, OverflowError, RecursionError) as error:
        return f"not a regular expression ({error})"
    if groups != 1:
        return f"{groups} capture groups, but exactly one must catch the order id"
    return None


def _scan(pattern: str) -> str | None:
    """The first thing in the expression that RE2 would not read as Python does."""
    counted = [False]
    previous_closed_counted = False
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        assert token is not None, "the last alternative matches any character"
        kind, text = token.lastgroup, token.group()
        closed_counted = False
        match kind:
            case "escape" | "set":
                fault = _escape_fault(text) if kind == "escape" else _set_fault(text)
            case "open":
                fault = _group_fault(pattern, at + 1)
                counted.append(False)
            case "close":
                fault = None
                closed_counted = len(counted) > 1 and counted.pop()
                counted[-1] = counted[-1] or closed_counted
            case "brace":
                fault = _count_fault(pattern, at, previous_closed_counted)
                counted[-1] = True
            case "repeat":
                fault = (
                    "a possessive '+' after a repeat"
                    if pattern[at - 1 : at] in ("*", "+", "?", "}") and text == "+"
                    else None
                )
            case _:
                fault = "brackets that are not closed" if text == "[" else None
        if fault is not None:
            return fault
        previous_closed_counted = closed_counted
        at = token.end()
    return None


def _escape_fault(escape: str) -> str | None:
    sign = escape[1]
    if sign.isdigit():
        return f"the back-reference or octal escape {escape!r}"
    if sign.isalpha() and sign not in _ESCAPES:
        return f"the escape {escape!r}"
    return None if sign.isascii() else f"the escape {escape!r}"


def _set_fault(text: str) -> str | None:
    inside = text[2:-1] if text[1] == "^" else text[1:-1]
    for escape in re.findall(r"\\.", inside, re.DOTALL):
        fault = _escape_fault(escape)
        if fault is not None or escape[1] in "bBA":
            return fault or f"the escape {escape!r} inside brackets"
    plain = re.sub(r"\\.", "", inside, flags=re.DOTALL)
    strange = next((sign for sign in ("[", "--", "&&", "||", "~~") if sign in plain), None)
    return f"{strange!r} inside brackets without a backslash" if strange else None


def _group_fault(pattern: str, at: int) -> str | None:
    if pattern[at : at + 1] != "?" or _GROUP_HEAD.match(pattern, at):
        return None
    if pattern[at : at + 2] in ("?=", "?!") or pattern[at : at + 3] in ("?<=", "?<!"):
        return "look-around, which the engine doesn't have"
    if pattern.startswith("?P=", at):
        return "a back-reference, which the engine doesn't have"
    return f"the group '({pattern[at : at + 3]}', which the engine doesn't have"


def _count_fault(pattern: str, at: int, of_counted_group: bool) -> str | None:
    count = _COUNT.match(pattern, at)
    if count is None:
        return "a '{' that begins no count; write '\\{' for the sign itself"
    if of_counted_group:
        return "a count on a group that holds a count"
    if max(int(number) for number in count.groups() if number) > MOST_REPEATS:
        return f"a count over {MOST_REPEATS}"
    return None
