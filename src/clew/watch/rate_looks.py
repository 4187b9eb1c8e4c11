"""Findings of rules about counts over weeks: surges, burn rates and telemetry silence. Judged once a minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from clew.detect.rates import series_name, silence_findings, surge_finding
from clew.detect.silence import EVERYBODY, Activity, SilenceParams, judge_senders, judge_services
from clew.detect.spans import burning
from clew.detect.surge import SurgeParams, judge, looked_at
from clew.model.alert import Finding
from clew.model.rule import BurnRate, Rule, Silence, SourceKind, Surge
from clew.store.activity import WEEKS_READ, ActivityBook
from clew.store.contract import Store
from clew.store.rule_spans import BurnBook
from clew.store.series import SeriesBook
from clew.watch.awake import Awake

MINUTE_NS = 60 * 10**9
_SETTLES_NS = 10 * 10**9
"""How long after its end a minute is counted: what exporters held back is there by then."""
_KNOWN_NS = 5 * 7 * 86_400 * 10**9
_SKIPPED = 2
"""A surge goes on when so many minutes weren't judged: looks are a minute apart and a little more."""
_DOWN = "silence of Clew"
_PAUSE_MINUTES = 2
"""Clew's own silence counts when it was longer; so long after a start senders catch up."""

Window = tuple[int, int]


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
    _windows: dict[str, list[Window]] | None = None

    def look(self, rule: Rule, now_ns: int) -> list[Finding]:
        """All that the rule finds now. Raises TypeError for a rule of another shape."""
        match rule.shape:
            case Surge():
                return self._surges(rule, rule.shape, last_minute(now_ns))
            case BurnRate():
                book = self._burns.setdefault(rule.name, BurnBook(self.store, rule.shape))
                return burning(rule, rule.shape, book.at(now_ns), now_ns)
            case Silence():
                return self._silent(rule, rule.shape, last_minute(now_ns))
            case _:
                raise TypeError(f"{rule.name} is no rule about rates")

    def _surges(self, rule: Rule, shape: Surge, minute: int) -> list[Finding]:
        book = self._series.setdefault(rule.name, SeriesBook(self.store, shape, looked_at))
        params = SurgeParams(at_least=shape.at_least, times=shape.times)
        found, windows = [], {}
        for name, counts in sorted(book.at(minute).items()):
            series = series_name(shape, name)
            spans = self._minutes(series, minute)
            surging = judge(
                counts,
                minute,
                spans,
                known_since=book.since_minute or 0,
                params=params,
                since_minute=next((begin for begin, until in spans if until >= minute - _SKIPPED), None),
            )
            if surging is not None:
                windows[series] = (surging.since_minute, minute + 1)
                found.append(surge_finding(rule.name, shape, name, surging))
        self._flag(windows)
        return found

    def _silent(self, rule: Rule, shape: Silence, minute: int) -> list[Finding]:
        self._excuse(self.awake.down, minute)
        book = self._heard.setdefault(shape.source, ActivityBook(self.store, shape.source))
        sources = {
            name: Activity(heard.minutes, heard.last_ns, heard.service)
            for name, heard in book.at(minute + 1).items()
            if (not shape.only or name in shape.only) and name not in shape.except_
        }
        begin = minute - WEEKS_READ[shape.source] * 7 * 24 * 60
        last_ns = {name: each.last_ns for name, each in sources.items()}
        last_ns[EVERYBODY] = max(last_ns.values(), default=0)
        outages = {name: self._over(shape.source, name, begin, heard_ns) for name, heard_ns in last_ns.items()}
        outages[EVERYBODY] += self._minutes(_DOWN, begin)
        judging = judge_services if shape.source is SourceKind.SERVICE else judge_senders
        params = SilenceParams(shape.times, max(1, shape.at_least_ns // MINUTE_NS))
        silent = judging(sources, minute, known_since=book.since_minute, outages=outages, params=params)
        self._flag(
            {
                _silence_series(shape.source, name): (each.last_ns // MINUTE_NS + 1, minute + 1)
                for name, each in silent.items()
            }
        )
        return silence_findings(rule.name, shape.source, silent, sources, len(sources))

    def _excuse(self, down: Window | None, minute: int) -> None:
        """What Clew didn't hear while it was down is nobody's silence."""
        if down is None:
            return
        window = (down[0] // MINUTE_NS, down[1] // MINUTE_NS + _PAUSE_MINUTES)
        if down[1] - down[0] > _PAUSE_MINUTES * MINUTE_NS and window not in self._minutes(_DOWN, minute):
            self._flag({_DOWN: window})

    def _over(self, source: SourceKind, name: str, begin: int, heard_ns: int) -> list[Window]:
        """The past silences of a source; one that goes on must not excuse itself."""
        windows = self._minutes(_silence_series(source, name), begin)
        return [each for each in windows if each[0] <= heard_ns // MINUTE_NS]

    def _minutes(self, series: str, minute: int) -> list[Window]:
        """The flagged windows of a series, in minutes."""
        if self._windows is None:
            since_ns = minute * MINUTE_NS - _KNOWN_NS
            self._windows = self.flagged.read(since_ns)
            self.flagged.forget(since_ns)
        return [(begin // MINUTE_NS, until // MINUTE_NS) for begin, until in self._windows.get(series, ())]

    def _flag(self, windows: Mapping[str, Window]) -> None:
        told = {name: (begin * MINUTE_NS, until * MINUTE_NS) for name, (begin, until) in windows.items()}
        self.flagged.write(told)
        known = self._windows if self._windows is not None else {}
        for name, window in told.items():
            others: Sequence[Window] = known.get(name, ())
            known[name] = [each for each in others if each[0] != window[0]] + [window]


def last_minute(now_ns: int) -> int:
    """The last whole minute of which everything has come."""
    return (now_ns - _SETTLES_NS) // MINUTE_NS - 1


def _silence_series(source: SourceKind, name: str) -> str:
    return f"silence/{source}/{name}"
