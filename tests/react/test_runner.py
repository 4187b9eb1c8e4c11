import threading
from dataclasses import replace

import pytest
from sqlalchemy import select

from clew.control.reactions import RunQuery
from clew.control.tables import outbox
from clew.model.errors import ControlError
from clew.model.incident import IncidentState, Policy, PolicyStep
from clew.model.reaction import Command, Conditions, RunState
from clew.notify.escalation import Policies
from clew.react.decide import Step
from clew.react.outside import change_by
from clew.react.runner import PAUSE_S, SHORT_PAUSE_S, Runner, in_thread
from clew.react.telling import Tell
from tests.react.builders import EAGER, HOUR, MINUTE, NOW, SECOND, a_reaction
from tests.react.shop import HOOK, Shop

GO = "; let them begin again with: clew reactions go"


@pytest.fixture
def shop(database):
    def make(guards=None, **parts):
        spawn = parts.pop("spawn", lambda _, work: work())
        return Shop(database, a_reaction(action=HOOK, guards=replace(EAGER, **(guards or {})), **parts), spawn=spawn)

    return make


def test_a_reaction_runs_once_and_rests(shop):
    here = shop()
    here.open()
    for _ in range(4):
        here.step(MINUTE)
    assert here.poster.done == [1]
    (run,) = here.runs.runs(RunQuery())
    assert (run.state, run.began_ns, run.ended_ns, run.incident_id) == (RunState.DONE, NOW + MINUTE, NOW + MINUTE, 1)
    assert run.result == "webhook restart-shop answered 204"
    assert here.record() == ["reaction restart-shop (run 1) is done: webhook restart-shop answered 204"]
    assert here.told[0][0] is Tell.NOTIFY
    here.step(5 * MINUTE)
    assert here.poster.done == [1, 2]


def test_it_waits_for_its_confirmations_which_are_looks_at_the_rules(shop):
    here = shop({"confirmations": 3})
    here.open()
    for look in (True, False, False, True):
        here.step(SECOND, look=look)
    assert here.states() == []
    here.step(SECOND)
    assert here.states() == ["done"]


def test_a_look_that_finds_nothing_begins_the_count_anew_and_so_does_a_start(shop):
    here = shop({"confirmations": 2})
    incident = here.open()
    here.step(SECOND)
    here.change(incident.id, silenced=True)
    here.step(SECOND)
    here.change(incident.id, silenced=False)
    here.step(SECOND)
    here.start()
    here.step(SECOND)
    assert here.states() == []
    here.step(SECOND)
    assert here.states() == ["done"]


def test_after_a_start_nothing_is_done_before_the_rule_of_the_incident_looked(shop):
    here = shop()
    here.open()
    for _ in range(3):
        here.step(SECOND, look=False)
    assert (here.poster.done, here.states()) == ([], [])
    here.step(SECOND)
    assert here.poster.done == [1]


def test_a_dry_run_does_nothing_and_is_told_to_nobody(shop):
    here = shop({"dry_run": True})
    here.open()
    here.step(SECOND)
    assert (here.poster.done, here.states()) == ([], ["dry_run"])
    assert here.told == [(Tell.RECORD, "dry run of reaction restart-shop (run 1): would call webhook restart-shop")]
    here.poster.fails = "there is no way"
    here.step(6 * MINUTE)
    text = (
        "dry run of reaction restart-shop (run 2) failed: there is no way; a real run that failed would have called "
        "shop team"
    )
    assert (here.states(), here.told[-1]) == (["dry_run", "failed"], (Tell.RECORD, text))


def test_a_dry_run_says_what_would_have_been_done_and_never_calls_a_person(shop, caplog):
    caplog.set_level("INFO", "clew.react")
    here = shop({"dry_run": True, "needs_approval": True, "help_within_ns": 10 * MINUTE})
    here.open()
    for _ in range(8):
        here.step(6 * MINUTE)
    assert here.states() == ["dry_run"]
    said = "dry run of reaction restart-shop (run 1): would call webhook restart-shop, once a person allowed it"
    left = (
        "; nothing was done, and the incident still fires 10m later; "
        "had a real run not helped either, a person would have been called"
    )
    assert here.told == [(Tell.RECORD, said), (Tell.RECORD, said + left)]
    assert "run 1: reaction restart-shop checks what it would do: call webhook restart-shop" in caplog.text
    assert "begins" not in caplog.text


def test_what_reactions_lack_is_named_once_when_they_are_read_and_the_others_act(shop, caplog):
    here = shop()
    for name in ("clean", "later"):
        here.reactions.append(a_reaction(name, Command((f"/nowhere/{name}",))))
        here.open(name)
        for _ in range(3):
            here.step(SECOND)
        told = f"can't act as it is set up: there is no program /nowhere/{name}; install it, or correct its path"
        assert caplog.text.count(f"reaction {name} {told}") == 1
    assert here.poster.done == [1]


def test_a_person_is_asked_and_runs_it_by_approving(shop):
    here = shop({"needs_approval": True})
    here.open()
    assert here.step(SECOND) == SHORT_PAUSE_S
    here.step(10 * MINUTE)
    assert (here.states(), here.poster.done) == (["waiting_approval"], [])
    asked = (
        "reaction restart-shop (run 1) waits for approval to call webhook restart-shop; "
        "shop team must allow it: clew reactions approve 1"
    )
    assert here.told == [(Tell.NOTIFY, asked)]
    here.change(1, state=IncidentState.ACKNOWLEDGED)
    here.runs.approve(1, "ann")
    here.step(SECOND)
    assert (here.states(), here.poster.done) == (["done"], [1])
    assert here.record()[-1].endswith("is done: webhook restart-shop answered 204, approved by ann")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (lambda here: here.step(61 * MINUTE), "nobody approved it within 1h"),
        (lambda here: here.quiet(1), "nothing fires any more"),
        (lambda here: here.resolve(1), "nothing fires any more"),
        (lambda here: here.runs.stop("ann", "moving", here.now_ns), f"ann stopped all reactions: moving{GO}"),
        (lambda here: here.reactions.clear(), "the reaction is no longer declared"),
        (lambda here: here.runs.refuse(1, here.now_ns, "refused by ann"), "refused by ann"),
    ],
)
def test_what_nobody_approves_in_time_or_needs_no_more_is_refused(shop, what, reason):
    here = shop({"needs_approval": True})
    here.open()
    here.step(SECOND)
    what(here)
    here.step(SECOND)
    assert (here.states()[0], here.results()[0]) == ("refused", reason)
    assert here.runs.approve(1, "ann") is None
    here.step(HOUR)
    assert here.poster.done == []


def test_approving_many_at_once_still_leaves_rests_between_them(shop):
    here = shop({"needs_approval": True, "cooldown_ns": 10 * MINUTE, "approve_within_ns": 3 * HOUR})
    for key in "abcd":
        here.open(key)
    here.step(SECOND)
    for run_id in range(1, 5):
        here.runs.approve(run_id, "ann")
    times = {}
    for minute in range(0, 65, 5):
        here.step(5 * MINUTE)
        times.setdefault(len(here.poster.done), minute)
    assert times == {1: 0, 2: 10, 3: 60}


def test_a_failed_run_asks_for_a_person_and_is_not_repeated_on_this_incident(shop):
    here = shop({"help_within_ns": MINUTE})
    here.open()
    here.poster.fails = "the disk is gone; mend it"
    here.step(SECOND)
    here.step(HOUR)
    assert here.states() == ["failed", "refused"]
    text = "reaction restart-shop (run 1) failed: the disk is gone; mend it; shop team must act"
    assert here.told[0] == (Tell.ESCALATE, text)
    assert here.results()[1] == "run 1 on this incident failed, so a person must act"
    assert here.poster.done == [1]
    here.open("another")
    here.poster.fails = ""
    here.step(SECOND)
    assert here.poster.done == [1, 3]


def test_a_useless_run_asks_for_a_person(shop):
    here = shop({"help_within_ns": 3 * MINUTE})
    here.open()
    here.step(SECOND)
    here.step(2 * MINUTE)
    assert here.states() == ["done"]
    here.step(MINUTE, look=False)
    assert here.states() == ["done"], "what was written before may be over by now"
    here.step()
    assert here.states() == ["useless", "refused"]
    assert here.told[-2] == (
        Tell.ESCALATE,
        "reaction restart-shop (run 1) did not help: webhook restart-shop answered 204, but the incident still fires 3m later; "
        "shop team must act",
    )
    here.step(HOUR)
    assert here.poster.done == [1]


def test_a_run_that_helped_is_recorded_as_such(shop):
    here = shop({"help_within_ns": 3 * MINUTE})
    here.open()
    here.step(SECOND)
    here.resolve(1)
    here.step(SECOND)
    assert here.states() == ["helped"]
    assert here.told[-1][0] is Tell.RECORD


def test_the_stop_switch_holds_over_a_start_and_is_recorded_once(shop):
    here = shop()
    here.open()
    here.runs.stop("ann", "moving house", here.now_ns)
    for _ in range(3):
        here.step(MINUTE)
        here.start()
    assert (here.poster.done, here.states()) == ([], ["refused"])
    assert here.record() == [f"reaction restart-shop (run 1) was refused: ann stopped all reactions: moving house{GO}"]
    here.runs.go("ann", here.now_ns)
    here.step(SECOND)
    assert here.poster.done == [2]


def test_two_incidents_at_once_share_the_rest_of_a_reaction(shop):
    here = shop()
    here.open("a")
    here.open("b")
    here.step(SECOND)
    here.step(SECOND)
    assert here.poster.done == [1]
    here.step(5 * MINUTE)
    assert len(here.poster.done) == 2


def test_messages_that_wait_are_what_a_queue_measures(shop):
    here = shop(when=Conditions(waiting_over=7))
    here.open()
    here.step(SECOND)
    assert here.states() == []
    here.reactions[0] = replace(here.reactions[0], when=Conditions(waiting_over=6))
    here.step(SECOND)
    assert here.states() == ["done"]


def test_news_that_somebody_else_was_faster_than_are_told_with_the_next_step(shop, monkeypatch):
    here = shop()
    here.open()
    monkeypatch.setattr(here.incidents, "apply", lambda _: None)
    here.step(SECOND)
    assert here.record() == []
    monkeypatch.undo()
    here.step(SECOND)
    here.step(SECOND)
    assert len(here.record()) == 1


def test_a_mistake_of_ours_is_a_failure_without_its_words(shop, monkeypatch, caplog):
    here = shop()
    here.open()
    monkeypatch.setattr(here.poster, "send", lambda _: {}["hunter2"])
    here.step(SECOND)
    assert here.results() == [
        "Clew made a mistake (KeyError), so nobody knows whether it was done; look at webhook restart-shop; please report it"
    ]
    assert "hunter2" not in caplog.text


def test_an_action_that_never_ends_is_given_up_and_what_it_says_later_changes_nothing(shop, caplog):
    later = []
    here = shop(spawn=lambda _, work: later.append(work))
    here.open()
    here.step(SECOND)
    here.step(MINUTE)
    assert here.states() == ["running"]
    here.step(2 * MINUTE)
    assert (
        here.results()[0] == "it did not end in time, so nobody knows whether it was done; look at webhook restart-shop"
    )
    later[0]()
    assert here.states()[0] == "failed"
    assert "had been given up before it ended" in caplog.text


@pytest.mark.parametrize("declared", ["", "1s", "elsewhere"])
def test_a_run_goes_on_for_as_long_as_the_action_that_was_begun_may_take(shop, declared):
    """Also when its reaction is declared no more, or otherwise, or another server on the same database began it."""
    here = shop(spawn=lambda _, work: None)
    (reaction,) = here.reactions
    here.reactions[0] = replace(reaction, action=Command(("/bin/true",), timeout_ns=HOUR))
    here.open()
    here.step(SECOND)
    here.reactions.clear()
    if declared == "1s":
        here.reactions.append(replace(reaction, action=Command(("/bin/true",), timeout_ns=SECOND)))
    if declared == "elsewhere":
        here.runs.interrupted = lambda _: []  # as that server holds it
        here.start()
    for _ in range(60):
        here.step(MINUTE)
    assert here.states() == ["running"]
    here.step(6 * HOUR if declared == "elsewhere" else MINUTE)
    assert here.states()[0] == "failed"
    assert here.results()[0] == "it did not end in time, so nobody knows whether it was done; look at command /bin/true"


def test_actions_run_beside_steps_and_closing_waits_for_them(shop):
    here = shop(spawn=in_thread)
    here.open()
    sending, go_on = threading.Event(), threading.Event()
    send = here.poster.send

    def slow(post):
        sending.set()
        go_on.wait(60)
        return send(post)

    here.poster.send = slow
    assert here.step(SECOND) == SHORT_PAUSE_S
    assert sending.wait(60)
    here.step(SECOND)
    assert here.states() == ["running"]
    threading.Timer(0.05, go_on.set).start()
    here.runner.close(60)
    assert here.states() == ["done"]
    here.open("b")
    here.step(HOUR)
    assert len(here.poster.done) == 1


def test_a_result_is_written_when_the_database_is_back(shop, monkeypatch):
    here = shop()
    here.open()
    end, tries = here.runs.end, []

    def away(*parts):
        tries.append(parts)
        if len(tries) == 1:
            raise ControlError("the disk is full")
        return end(*parts)

    monkeypatch.setattr(here.runs, "end", away)
    monkeypatch.setattr("clew.react.runner._AGAIN_S", 0.0)
    here.step(SECOND)
    assert here.states() == ["done"]


def test_nothing_to_do_rests_longer(shop):
    assert shop().step(SECOND) == PAUSE_S


def test_trying_a_reaction_out_does_and_keeps_nothing(shop):
    here = shop({"confirmations": 9})
    here.open()
    tried = here.world.try_out(here.reactions[0], here.incidents.incident(1))
    assert (tried.decision.step, tried.works, tried.result) == (Step.RUN, True, "would call webhook restart-shop")
    here.poster.fails = "there is no way"
    tried = here.world.try_out(here.reactions[0], here.incidents.incident(1))
    assert (tried.works, tried.result) == (False, "there is no way")
    assert (here.poster.done, here.states()) == ([], [])


def test_a_failure_waits_in_the_outbox_for_the_next_person(shop, database):
    policy = Policy("p", (PolicyStep(0, ("duty",)), PolicyStep(HOUR, ("boss",))))
    here = shop()
    here.open(policy="p", told=("duty",), step=1, step_at_ns=NOW + HOUR)
    here.poster.fails = "the disk is gone; mend it"
    here.runner = Runner(here.world, lambda _: here.looked_ns, change_by(lambda: Policies({"p": policy})), here.spawn)
    here.step(SECOND)
    here.step(SECOND)
    with database.reading() as connection:
        rows = connection.execute(select(outbox)).all()
    assert [(row.channel, row.kind) for row in rows] == [("boss", "escalated")]
    assert "reaction restart-shop (run 1) failed: the disk is gone; mend it; shop team must act" in rows[0].text
