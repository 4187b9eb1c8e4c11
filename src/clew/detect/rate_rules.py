"""What rules about surges and telemetry silence find, look after look: one code for watching, written cases, the past.

    series, minute ---judge, by what isn't flagged---> findings, and their windows, which are flagged from then on

A window that a rule told never enters what that rule expects of its series later. It goes on as long as looks of this
rule find it again. No rule changes what another one finds, so the past can be asked of each alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from clew.detect.rates import series_name, silence_findings, surge_finding
from clew.detect.silence import EVERYBODY, Activity, SilenceParams, judge_senders, judge_services
from clew.detect.surge import SurgeParams, judge, shared, sharing
from clew.model.alert import Finding
from clew.model.rule import Silence, SourceKind, Surge

MINUTE_NS = 60 * 10**9
_PAUSE_MINUTES = 2
"""Clew's own silence counts when it was longer; so long after a start senders catch up."""
_DOWN = "silence of Clew"
_KNOWN = 5 * 7 * 24 * 60
KNOWN_NS = _KNOWN * MINUTE_NS
"""So far back windows matter."""

Window = tuple[int, int]
"""Minutes: from included, until not."""


@dataclass(slots=True)
class RateRules:
    """Looks at series ``apart`` minutes from one look to the next. One at a time.

    ``windows`` were told before, surges by rule and series, and grow by what is told; ``keep`` is called with each that
    is new, or longer than before.
    """

    windows: dict[str, list[Window]] = field(default_factory=dict)
    keep: Callable[[Mapping[str, Window]], None] = field(default=lambda _: None)
    apart: int = 1

    def surges(
        self, rule: str, shape: Surge, series: Mapping[str, Mapping[int, int]], minute: int, known_since: int
    ) -> list[Finding]:
        """What surges of the counts minute by minute, of which everything is known from a minute on."""
        alone = SurgeParams(at_least=shape.at_least, times=shape.times)
        params = shared(alone, sharing(series.values(), minute, alone))
        found, told = [], {}
        for name, counts in sorted(series.items()):
            known = f"{rule}/{series_name(shape, name)}"
            windows = self.windows.get(known, ())
            # Looks are a little more than that apart.
            since = next((begin for begin, until in windows if minute <= until + self.apart + 1), None)
            surging = judge(counts, minute, windows, known_since=known_since, params=params, since_minute=since)
            if surging is not None:
                told[known] = (surging.since_minute, minute + 1)
                found.append(surge_finding(rule, shape, name, surging))
        self._flag(told)
        return found

    def silences(
        self, rule: str, shape: Silence, sources: Mapping[str, Activity], minute: int, known_since: int
    ) -> list[Finding]:
        """Who of the sources that the rule looks at is silent; something is known from a minute on."""
        picked = {name: each for name, each in sources.items() if _picks(shape, name)}
        last_ns = {name: each.last_ns for name, each in picked.items()}
        last_ns[EVERYBODY] = max(last_ns.values(), default=0)
        outages = {name: self._over(shape.source, name, heard_ns) for name, heard_ns in last_ns.items()}
        outages[EVERYBODY] += self.windows.get(_DOWN, ())
        judging = judge_services if shape.source is SourceKind.SERVICE else judge_senders
        params = SilenceParams(shape.times, max(1, shape.at_least_ns // MINUTE_NS))
        silent = judging(picked, minute, known_since=known_since, outages=outages, params=params)
        self._flag(
            {
                _silence_series(shape.source, name): (each.last_ns // MINUTE_NS + 1, minute + 1)
                for name, each in silent.items()
            }
        )
        return silence_findings(rule, shape.source, silent, picked, len(picked))

    def excuse(self, down_ns: tuple[int, int]) -> None:
        """What Clew didn't hear while it was down (Unix ns) is nobody's silence."""
        from_ns, until_ns = down_ns
        window = (from_ns // MINUTE_NS, until_ns // MINUTE_NS + _PAUSE_MINUTES)
        if until_ns - from_ns > _PAUSE_MINUTES * MINUTE_NS and window not in self.windows.get(_DOWN, ()):
            self._flag({_DOWN: window})

    def _over(self, source: SourceKind, name: str, heard_ns: int) -> list[Window]:
        """The past silences of a source; one that goes on must not excuse itself."""
        windows = self.windows.get(_silence_series(source, name), ())
        return [each for each in windows if each[0] <= heard_ns // MINUTE_NS]

    def _flag(self, told: Mapping[str, Window]) -> None:
        if told:
            self.keep(told)
        for name, (begin, until) in told.items():
            others: Sequence[Window] = self.windows.get(name, ())
            kept = [each for each in others if each[0] != begin and each[1] > until - _KNOWN]
            self.windows[name] = [*kept, (begin, until)]


def in_minutes(windows: Mapping[str, Sequence[Window]]) -> dict[str, list[Window]]:
    """Windows of Unix ns in minutes."""
    return {name: [(begin // MINUTE_NS, until // MINUTE_NS) for begin, until in of] for name, of in windows.items()}


def told_before(windows: Mapping[str, Sequence[Window]], minute: int) -> dict[str, list[Window]]:
    """The windows as they were known at a minute: those that were over, and when Clew was down, whenever that was."""
    return {
        name: list(of) if name == _DOWN else [each for each in of if each[1] <= minute] for name, of in windows.items()
    }


def _picks(shape: Silence, name: str) -> bool:
    return (not shape.only or name in shape.only) and name not in shape.except_


def _silence_series(source: SourceKind, name: str) -> str:
    return f"silence/{source}/{name}"
