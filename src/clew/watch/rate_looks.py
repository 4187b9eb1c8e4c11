"""Findings of rules about counts over weeks: surges, burn rates and telemetry silence. Judged once a minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from clew.detect.rate_rules import KNOWN_NS, MINUTE_NS, RateRules, Window, in_minutes
from clew.detect.silence import Activity
from clew.detect.spans import burning
from clew.detect.surge import looked_at
from clew.model.alert import Finding
from clew.model.rule import BurnRate, Rule, Silence, SourceKind, Surge
from clew.store.activity import ActivityBook
from clew.store.contract import Store
from clew.store.rule_spans import BurnBook
from clew.store.series import SeriesBook
from clew.watch.awake import Awake

_SETTLES_NS = 10 * 10**9
"""How long after its end a minute is counted: what exporters held back is there by then."""


class Flagged(Protocol):
    """Windows that never enter what is expected, by series (Unix ns)."""

    def read(self, since_ns: int) -> dict[str, list[Window]]: ...  # noqa: D102
    def write(self, windows: Mapping[str, Window]) -> None: ...  # noqa: D102
    def forget(self, before_ns: int) -> None: ...  # noqa: D102


@dataclass(slots=True)
class RateLooks:
    """Looks for surges, burn rates and silence. One at a time; not for the main thread."""

    store: Store
    flagged: Flagged
    awake: Awake
    _series: dict[str, SeriesBook] = field(default_factory=dict)
    _burns: dict[str, BurnBook] = field(default_factory=dict)
    _heard: dict[SourceKind, ActivityBook] = field(default_factory=dict)
    _rates: RateRules | None = None

    def look(self, rule: Rule, now_ns: int) -> list[Finding]:
        """All that the rule finds now. Raises TypeError for a rule of another shape."""
        match rule.shape:
            case Surge():
                return self._surges(rule, rule.shape, now_ns)
            case BurnRate():
                book = self._burns.setdefault(rule.name, BurnBook(self.store, rule.shape))
                return burning(rule, rule.shape, book.at(now_ns), now_ns)
            case Silence():
                return self._silent(rule, rule.shape, now_ns)
            case _:
                raise TypeError(f"{rule.name} is no rule about rates")

    def _surges(self, rule: Rule, shape: Surge, now_ns: int) -> list[Finding]:
        book = self._series.setdefault(rule.name, SeriesBook(self.store, shape, looked_at))
        minute = last_minute(now_ns)
        series = book.at(minute)
        return self._rules(now_ns).surges(rule.name, shape, series, minute, book.since_minute or 0)

    def _silent(self, rule: Rule, shape: Silence, now_ns: int) -> list[Finding]:
        rates, minute = self._rules(now_ns), last_minute(now_ns)
        if self.awake.down is not None:
            rates.excuse(self.awake.down)
        book = self._heard.setdefault(shape.source, ActivityBook(self.store, shape.source))
        sources = {
            name: Activity(each.minutes, each.last_ns, each.service) for name, each in book.at(minute + 1).items()
        }
        return rates.silences(rule.name, shape, sources, minute, book.since_minute)

    def _rules(self, now_ns: int) -> RateRules:
        if self._rates is None:
            since_ns = now_ns - KNOWN_NS
            self._rates = RateRules(in_minutes(self.flagged.read(since_ns)), self._keep)
            self.flagged.forget(since_ns)
        return self._rates

    def _keep(self, windows: Mapping[str, Window]) -> None:
        self.flagged.write({name: (begin * MINUTE_NS, until * MINUTE_NS) for name, (begin, until) in windows.items()})


def last_minute(now_ns: int) -> int:
    """The last whole minute of which everything has come."""
    return (now_ns - _SETTLES_NS) // MINUTE_NS - 1
