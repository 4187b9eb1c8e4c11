"""Rules rest for so long as their shape says, and longer the dearer they are, within bounds."""

import pytest

from clew.model.journey import VerdictKind
from clew.model.rule import Judged, Pipeline, QueueWaits, Rule, Silence, SourceKind, SpanCondition, SpansSeen
from clew.rules import default_rules
from clew.watch.rests import Rests, every_ns, longest_ns

MS, SECOND = 10**6, 10**9
STUCK = Rule("stuck", Judged((VerdictKind.STUCK,)))
LATE = Rule("late", Judged((VerdictKind.IN_JEOPARDY,)))
ERRORS = Rule("errors", SpansSeen(SpanCondition(), SECOND))
SILENT = Rule("silent", Silence(SourceKind.SERVICE))


@pytest.mark.parametrize(
    ("rule", "took_ns", "failed", "rest_s"),
    [
        (STUCK, 0, False, 3),
        (STUCK, 10 * MS, False, 3),
        (STUCK, 20 * MS, False, 4),
        (STUCK, 2 * SECOND, False, 9),
        (LATE, 2 * SECOND, False, 30),
        (ERRORS, 2 * SECOND, False, 10),
        (SILENT, 2 * SECOND, False, 60),
        (STUCK, -SECOND, False, 3),
        (STUCK, 0, True, 3),
        (LATE, 2 * SECOND, True, 5),
        (SILENT, 0, True, 5),
    ],
)
def test_a_rule_looks_again_after_its_rest(rule, took_ns, failed, rest_s):
    rests, began_ns = Rests(), 1_000 * SECOND
    assert rests.is_look(rule, began_ns)
    ended_ns = began_ns + took_ns
    rests.took(rule, began_ns, ended_ns, looked=True, failed=failed)
    assert not rests.is_look(rule, ended_ns + rest_s * SECOND - 1)
    assert rests.is_look(rule, ended_ns + rest_s * SECOND)


def test_what_stands_is_decided_anew_between_looks_as_often_as_it_is_cheap():
    rests, now_ns = Rests(), 1_000 * SECOND
    rests.took(SILENT, now_ns, now_ns, looked=True)
    assert rests.is_turn(SILENT, now_ns)
    rests.took(SILENT, now_ns, now_ns + 5 * MS, looked=False)
    assert not rests.is_turn(SILENT, now_ns + 5 * MS + SECOND - 1)
    assert rests.is_turn(SILENT, now_ns + 5 * MS + SECOND)
    assert not rests.is_look(SILENT, now_ns + 59 * SECOND)


def test_a_clock_that_is_set_back_lets_nothing_wait():
    rests = Rests()
    rests.took(STUCK, 1_000 * SECOND, 1_000 * SECOND, looked=True)
    assert rests.is_look(STUCK, 500 * SECOND)


def test_what_people_wait_for_rests_for_seconds_only():
    found = {rule.name: max(every_ns(rule), longest_ns(rule)) // SECOND for rule in default_rules().rules}
    assert {name: found[name] for name in ("stuck", "lost", "lost-in-queue", "failed")} == {
        "stuck": 9,
        "lost": 9,
        "lost-in-queue": 9,
        "failed": 9,
    }
    assert all(
        found[rule.name] <= 10
        for rule in default_rules().rules
        if isinstance(rule.shape, SpansSeen | QueueWaits | Pipeline)
    )
