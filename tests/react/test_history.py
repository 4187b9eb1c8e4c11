"""Whatever happens in whatever order, kills included: the guards hold, and the record is true."""

import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.control.database import open_database
from clew.control.reactions import ReactionRuns, RunQuery
from clew.model.reaction import BEFORE, Guards, RunState
from tests.react.builders import HOUR, MINUTE, SECOND, a_reaction
from tests.react.shop import HOOK, Killed, Shop, empty

GUARDS = Guards(cooldown_ns=7 * MINUTE, most_per_hour=2, confirmations=2, dry_run=False, help_within_ns=20 * MINUTE)
KEYS = ("a", "b")

EVENTS = st.one_of(
    st.tuples(st.just("pass"), st.integers(0, 25)),
    st.tuples(st.just("same look"), st.integers(0, 3)),
    st.tuples(st.just("found"), st.sampled_from(KEYS)),
    st.tuples(st.just("gone"), st.sampled_from(KEYS)),
    st.tuples(st.just("resolved"), st.sampled_from(KEYS)),
    st.tuples(st.just("fails"), st.booleans()),
    st.tuples(st.just("act"), st.just(0)),
    st.tuples(st.just("approve"), st.just(0)),
    st.tuples(st.sampled_from(("stop", "go", "kill")), st.just(0)),
)


class History:
    """Plays events, and keeps what was done beside what the guards knew when it began."""

    def __init__(self, database, guards):
        self.acting = []
        self.shop = Shop(
            database, a_reaction(action=HOOK, guards=guards), spawn=lambda _, work: self.acting.append(work)
        )
        self.numbers, self.confirmed, self.looked = {}, {}, {}
        self.begun, self.known = {}, set()

    def play(self, kind, what):
        getattr(self, kind.replace(" ", "_"), lambda _: None)(what)
        if kind in ("pass", "same look"):
            self.shop.step(what * MINUTE, look=kind == "pass")
            self.count()
            self.check()

    def found(self, key):
        number = self.numbers.get(key)
        if number is None:
            self.numbers[key] = self.shop.open(f"{key}{len(self.confirmed)}").id
        else:
            self.shop.change(number, silenced=False)

    def gone(self, key):
        if self.numbers.get(key):
            self.shop.change(self.numbers[key], silenced=True)

    def resolved(self, key):
        if self.numbers.get(key):
            self.shop.resolve(self.numbers.pop(key))

    def fails(self, whether):
        self.shop.poster.fails = "it can't be done" if whether else ""

    def act(self, _):
        if self.acting:
            self.acting.pop(0)()

    def approve(self, _):
        for run in self.shop.runs.runs(RunQuery(states=(RunState.WAITING_APPROVAL,), limit=1)):
            self.shop.runs.approve(run.id, "ann")

    def stop(self, _):
        self.shop.runs.stop("ann", "", self.shop.now_ns)

    def go(self, _):
        self.shop.runs.go("ann", self.shop.now_ns)

    def kill(self, _):
        self.acting.clear()
        self.confirmed.clear()
        self.shop.start()

    def count(self):
        """The looks in a row that found each incident, as anybody would count them."""
        looked = self.shop.looked_ns
        for number in self.numbers.values():
            incident = self.shop.incidents.incident(number)
            if incident.silenced:
                self.confirmed[number] = 0
            elif self.looked.get(number) != looked or not self.confirmed.get(number):
                self.confirmed[number] = self.confirmed.get(number, 0) + 1
            self.looked[number] = looked

    def check(self):
        shop, guards = self.shop, self.shop.reactions[0].guards
        stopped = shop.runs.stopped()
        runs = sorted(shop.runs.runs(RunQuery(limit=10_000)), key=lambda run: (run.began_ns or 0, run.id))
        begun = [run for run in runs if run.began_ns is not None]
        for run in runs:
            new = run.id not in self.known
            self.known.add(run.id)
            if new and (run.state is not RunState.REFUSED or run.version > 1):
                assert self.confirmed[run.incident_id] >= guards.confirmations
            if run.began_ns is not None and run.id not in self.begun:
                self.begun[run.id] = run.began_ns
                assert stopped is None
                assert run.approved_by == ("ann" if guards.needs_approval else "")
            if stopped is not None:
                assert run.state not in BEFORE
        for before, after in pairwise(begun):
            assert before.ended_ns is not None
            assert after.began_ns >= before.ended_ns + guards.cooldown_ns
        for run in begun:
            within = [each for each in begun if run.began_ns - HOUR < each.began_ns <= run.began_ns]
            assert len(within) <= guards.most_per_hour
        assert len(set(shop.poster.done)) == len(shop.poster.done) <= len(begun)
        assert {run.id for run in begun} >= set(shop.poster.done)
        known = {RunState.DONE, RunState.HELPED, RunState.USELESS}
        assert {run.id for run in runs if run.state in known} <= set(shop.poster.done)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    opened = open_database(tmp_path_factory.mktemp("history"))
    yield opened
    opened.close()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EVENTS, min_size=5, max_size=25), st.booleans())
def test_no_guard_is_ever_broken(kept, events, needs_approval):
    empty(kept)
    history = History(kept, replace(GUARDS, needs_approval=needs_approval))
    for event in [("found", "a"), ("pass", 1), ("pass", 1), *events]:
        history.play(*event)


WRITES = ("propose", "approve", "begin", "end", "judge", "note_refusal", "apply", "send")


class Killer:
    """Ends the process before or after the n-th write or action."""

    def __init__(self, shop, at, after):
        self.left, self.after = at, after
        for thing in (shop.runs, shop.incidents, shop.poster):
            for name in WRITES:
                if hasattr(thing, name):
                    setattr(thing, name, self.around(getattr(thing, name)))

    def around(self, write):
        def killing(*parts, **named):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Killed
            done = write(*parts, **named)
            if self.left == 0:
                raise Killed
            return done

        return killing


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("at", range(1, 8))
def test_a_kill_at_any_step_leaves_a_true_record_and_nothing_is_done_twice(database, at, after, fails):
    shop = Shop(database, a_reaction(action=HOOK, guards=replace(GUARDS, confirmations=1)))
    shop.open()
    shop.poster.fails = "it can't be done" if fails else ""
    killer = Killer(shop, at, after)
    minutes = [0, 1, 21, 1, 1]
    for minute in minutes:
        try:
            shop.step(minute * MINUTE)
        except Killed:
            shop.start()
            shop.step(SECOND)
    (run, *others) = reversed(shop.runs.runs(RunQuery()))
    assert [each.state for each in others] in ([], [RunState.REFUSED])
    assert shop.poster.done == [run.id] or (shop.poster.done == [] and "nobody knows" in run.result)
    if killer.left > 0:
        assert run.state is (RunState.FAILED if fails else RunState.USELESS)
    assert run.state in (RunState.FAILED, RunState.USELESS)
    assert (run.state is RunState.USELESS) == ("still fires" in run.result)
    told = [text for text in shop.record() if f"(run {run.id})" in text]
    assert len(told) == len(set(told))
    assert sum("a person must act" in text or "shop team must act" in text for text in told) == 1


def test_a_process_that_is_killed_while_it_acts_leaves_a_run_that_the_next_start_ends(tmp_path):
    done = tmp_path / "done"
    code = f"""
import time
from clew.control.database import open_database
from clew.model.reaction import Command
from clew.react.outside import outside_of
from tests.react.builders import EAGER, a_reaction
from tests.react.shop import Shop
from pathlib import Path
action = Command(("/bin/sh", "-c", "echo begun >> {done}; exec sleep 60"))
shop = Shop(open_database(Path({str(tmp_path)!r})), a_reaction(action=action, guards=EAGER))
shop.open()
shop.step(1)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    try:
        give_up = time.monotonic() + 120
        while not done.exists() and time.monotonic() < give_up:
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    database = open_database(tmp_path)
    runs = ReactionRuns(database)
    assert [run.state for run in runs.runs(RunQuery())] == [RunState.RUNNING]
    shop = Shop(database, a_reaction(action=HOOK, guards=GUARDS))
    for _ in range(3):
        shop.step(HOUR)
    assert shop.states()[0] == "failed"
    assert "nobody knows whether it was done" in shop.record()[0]
    assert (done.read_text(), shop.poster.done) == ("begun\n", [])
    database.close()
