"""How long rules rest between two turns: for so long as their shape says, and longer the more their turns cost.

So ten times as many open orders don't cost ten times as much, and what people wait for still comes within 15 s.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clew.model.journey import VerdictKind
from clew.model.rule import BurnRate, Judged, Pipeline, QueueWaits, Rule, Silence, Slow, SpansSeen, Surge

_SECOND_NS = 10**9
_TIMES = 200
_SOON_NS = 5 * _SECOND_NS
_URGENT = {VerdictKind.STUCK, VerdictKind.LOST, VerdictKind.FAILED}


def every_ns(rule: Rule) -> int:
    """How long a rule rests between two looks: orders and Clew itself are looked at every 3 s, spans and queues every
    10 s, and counts over weeks once a minute."""
    match rule.shape:
        case Surge() | BurnRate() | Silence():
            return 60 * _SECOND_NS
        case SpansSeen() | Slow() | QueueWaits():
            return 10 * _SECOND_NS
        case _:
            return 3 * _SECOND_NS


def longest_ns(rule: Rule) -> int:
    """How long a rule rests at most because its turns are dear; rules about orders that are only late or odd wait for
    half a minute."""
    match rule.shape:
        case Judged(verdicts=verdicts) if _URGENT.intersection(verdicts):
            return 9 * _SECOND_NS
        case SpansSeen() | Slow() | QueueWaits() | Pipeline():
            return 10 * _SECOND_NS
        case _:
            return 30 * _SECOND_NS


@dataclass(slots=True)
class Rests:
    """When each rule is next. A clock that is set back lets nothing wait longer than it would have."""

    _look_ns: dict[str, tuple[int, int]] = field(default_factory=dict)
    _turn_ns: dict[str, tuple[int, int]] = field(default_factory=dict)

    def is_look(self, rule: Rule, now_ns: int) -> bool:
        """Whether it is time to look."""
        return _is_over(self._look_ns.get(rule.name), now_ns)

    def is_turn(self, rule: Rule, now_ns: int) -> bool:
        """Whether it is time to decide again of what stands, without a look."""
        return _is_over(self._turn_ns.get(rule.name), now_ns)

    def took(self, rule: Rule, began_ns: int, ended_ns: int, *, looked: bool, failed: bool = False) -> None:
        """A rule had its turn, which took from one moment to another; one whose look failed looks again soon."""
        rest_ns = min(_TIMES * max(0, ended_ns - began_ns), longest_ns(rule))
        self._turn_ns[rule.name] = (ended_ns, rest_ns)
        if looked:
            look_ns = max(rest_ns, every_ns(rule))
            self._look_ns[rule.name] = (ended_ns, min(look_ns, _SOON_NS) if failed else look_ns)


def _is_over(rest: tuple[int, int] | None, now_ns: int) -> bool:
    """Whether a rest that began at a moment and is so long is over."""
    return rest is None or not 0 <= now_ns - rest[0] < rest[1]
