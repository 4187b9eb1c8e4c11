"""What the address of the list asks for: the filters as values, and back as an address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

from clew.api.order_list import TRACE_ID, deviation_asked
from clew.model.journey import VerdictKind
from clew.store.orders import OrderFilter

_TEXTS = ("flow", "stage", "path", "user", "alias", "trace", "prefix", "at", "deviation")
_SWITCHES = ("no_stage", "ended")
_ENDS = {VerdictKind.CLOSED, VerdictKind.CANCELLED}


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of the list; empty ones match everything.

    ``verdicts`` are kinds that may be shown (none: all), ``flow``, ``stage``, ``path`` and ``alias`` compare exactly,
    ``user`` is a user id in clear or as shown, ``trace`` 32 hex digits, ``prefix`` the beginning of an order id.
    ``no_stage`` are orders of which no stage is known yet. ``ended`` shows ended orders as well. ``at`` is a past
    moment as text, ``deviation`` how they left the flow: a kind, or kind and stage.
    """

    verdicts: tuple[VerdictKind, ...] = ()
    flow: str = ""
    stage: str = ""
    path: str = ""
    user: str = ""
    alias: str = ""
    trace: str = ""
    prefix: str = ""
    at: str = ""
    no_stage: bool = False
    ended: bool = False
    deviation: str = ""

    @property
    def by_name(self) -> bool:
        """Whether it asks for certain orders: then ended ones are shown as well."""
        return bool(self.user or self.alias or self.trace or self.prefix)

    @property
    def open_only(self) -> bool:
        """Whether ended orders are left out."""
        return not self.ended and not self.by_name and not _ENDS & set(self.verdicts)

    @property
    def query(self) -> str:
        """The filters as a query string, always in the same order; empty without any."""
        return urlencode(list(self._pairs()))

    @property
    def href(self) -> str:
        """The address of the list with these filters."""
        return f"/?{self.query}" if self.query else "/"

    def but(self, **changes: str | bool | tuple[VerdictKind, ...]) -> Asked:
        """The same with other values."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def toggled(self, kind: VerdictKind) -> Asked:
        """The same with a verdict more, or with one less."""
        chosen = set(self.verdicts) ^ {kind}
        return replace(self, verdicts=tuple(each for each in VerdictKind if each in chosen))

    def filter(self, stored_user: str) -> OrderFilter:
        """The filter over stored orders; the user id as it is stored."""
        return OrderFilter(
            verdicts=self.verdicts,
            stage=self.stage,
            no_stage=self.no_stage,
            path=self.path,
            user_id=stored_user,
            alias=self.alias,
            trace_id=self.trace,
            order_prefix=self.prefix,
            flow=self.flow,
            open_only=self.open_only,
            deviation=self.deviation,
        )

    def _pairs(self) -> Iterator[tuple[str, str]]:
        yield from (("verdict", kind.value) for kind in self.verdicts)
        yield from ((name, getattr(self, name)) for name in _TEXTS if getattr(self, name))
        yield from ((name, "1") for name in _SWITCHES if getattr(self, name))


def read_asked(pairs: Iterable[tuple[str, str]]) -> Asked:
    """The filters in the parameters of an address; others are let be.

    Raises ValueError, whose arguments are what is wrong and how to mend it.
    """
    given = [(name, value.strip()) for name, value in pairs]
    named = {value for name, value in given if name == "verdict" and value}
    unknown = sorted(named - set(VerdictKind))
    if unknown:
        raise ValueError(f"there is no verdict {unknown[0]}", f"choose from {', '.join(VerdictKind)}")
    texts = {name: value for name, value in given if name in _TEXTS}
    texts |= {"deviation": deviation_asked(texts.get("deviation", ""))}
    trace = texts.get("trace", "").lower()
    if trace and not re.fullmatch(TRACE_ID, trace):
        raise ValueError(f"{trace} is no trace", "a trace id has 32 hex digits")
    on = {name for name, value in given if name in _SWITCHES and value in ("1", "on", "true")}
    verdicts = tuple(kind for kind in VerdictKind if kind in named)
    return Asked(verdicts, no_stage="no_stage" in on, ended="ended" in on, **texts | {"trace": trace})


FILTERS = tuple(each.name for each in fields(Asked) if each.name not in ("verdicts", *_SWITCHES))
"""The filters that are one text each."""
