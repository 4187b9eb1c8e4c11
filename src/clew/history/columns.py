"""Which column is what: as the options say, else as the format says, else by common names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clew.history.rows import HistoryError, Names

REQUIRED = ("order", "stage", "time")
COMMON: Mapping[str, tuple[str, ...]] = {
    "order": (
        "case:concept:name", "order_id", "case_id", "orderid", "caseid", "order_no", "order_nr", "order_number",
        "case_key", "case_no", "case_number", "caseconcept_name", "order", "case",
    ),
    "stage": (
        "concept:name", "order_stage", "stage", "activity", "activity_name", "activity_en", "event_name", "status",
        "order_status", "new_status", "state", "step", "task", "event_type", "event", "action",
    ),
    "time": (
        "time:timestamp", "timestamp", "event_time", "event_timestamp", "time", "datetime", "date_time",
        "occurred_at", "occurred", "entered_at", "changed_at", "complete_timestamp", "end_timestamp", "end_time",
        "created_at", "at", "ts", "date", "event_date", "start_timestamp", "start_time",
    ),
    "path": ("order_path", "path", "sales_channel", "channel"),
    "service": ("service", "service_name", "system", "application"),
    "user": ("user_id", "userid", "customer_id", "customerid", "user", "customer"),
    "actor": ("org:resource", "actor", "resource", "operator", "employee", "performed_by", "changed_by"),
    "due": ("due_at", "due_date", "promised_at", "promised_date"),
}  # fmt: skip
"""Roles of columns, and names that columns of that role commonly have, likeliest first."""

_DIVIDERS = re.compile(r"[\s:._-]+")


@dataclass(frozen=True, slots=True)
class Roles:
    """The column of each role that has one; ``guessed`` are the roles that nobody named."""

    of: Mapping[str, str]
    guessed: frozenset[str]


def assign(columns: Iterable[str], asked: Mapping[str, str | None], own: Names) -> Roles:
    """The roles of columns; ``asked`` are the options: a column's name, "" for none, None to be guessed.

    Raises HistoryError when a named column isn't there, or a needed one can't be guessed.
    """
    there = list(dict.fromkeys(columns))
    of: dict[str, str] = {}
    guessed = []
    for role in COMMON:
        wanted = asked.get(role)
        if wanted:
            of[role] = _named(wanted, there, role)
    for role in COMMON:
        if asked.get(role) is None and (found := _guess(role, there, set(of.values()), getattr(own, role, ()))):
            of[role] = found
            if not (own.prescribed and found in getattr(own, role, ())):
                guessed.append(role)
    missing = [role for role in REQUIRED if role not in of]
    if missing:
        options = " ".join(f"--{role} COLUMN" for role in missing)
        raise HistoryError(
            f"no column is known to hold the {' and the '.join(missing)}; there are {_listed(there)}",
            f"name {'it' if len(missing) == 1 else 'them'}: {options}",
        )
    return Roles(of, frozenset(guessed))


def _named(wanted: str, there: list[str], role: str) -> str:
    if wanted in there:
        return wanted
    alike = [column for column in there if _key(column) == _key(wanted)]
    if len(alike) == 1:
        return alike[0]
    raise HistoryError(f"--{role} {wanted}: there is no such column", f"there are {_listed(there)}", of_call=True)


def _guess(role: str, there: list[str], taken: set[str], own: tuple[str, ...]) -> str | None:
    free = {_key(column): column for column in reversed(there) if column not in taken}
    return next((free[_key(name)] for name in (*own, *COMMON[role]) if _key(name) in free), None)


def _key(name: str) -> str:
    """A name without what differs by habit: capitals, and what stands between its words."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return _DIVIDERS.sub("_", words).strip("_").lower()


def _listed(columns: list[str]) -> str:
    shown = ", ".join(columns[:30]) or "none"
    return f"{shown} and {len(columns) - 30} more" if len(columns) > 30 else shown
