"""Runs of reactions and the stop switch, on each database."""

import contextlib
import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from clew.control.contract import Change
from clew.control.database import open_database
from clew.control.incidents import SqlIncidents
from clew.control.reactions import ReactionRuns, RunQuery
from clew.model.incident import Incident, IncidentState
from clew.model.reaction import ReactionRun, RunState, Stopped
from clew.model.rule import Severity

NEW = Incident(0, "k", "stuck", "Orders stuck", Severity.ERROR, IncidentState.OPEN, {}, 1, 2, 3)
RUN = ReactionRun(0, "restart", 1, "deployment shop/api", RunState.PROPOSED, 10, result="restart deployment shop/api")


@pytest.fixture
def runs(database):
    incidents = SqlIncidents(database)
    for key in ("a", "b", "c"):
        incidents.apply(Change(replace(NEW, key=key)))
    return ReactionRuns(database)


def test_a_run_is_kept_as_it_was_proposed_and_found_again(runs):
    made = runs.propose(replace(RUN, dry_run=True))
    assert made == replace(RUN, id=made.id, dry_run=True)
    assert runs.run(made.id) == made
    assert runs.run(made.id + 1) is None


def test_one_run_at_a_time_of_a_reaction_on_an_incident(runs):
    first = runs.propose(RUN)
    assert runs.propose(RUN) is None
    assert runs.propose(replace(RUN, incident_id=2)) is not None
    assert runs.propose(replace(RUN, reaction="scale")) is not None
    assert runs.begin(first, 11)
    assert runs.propose(RUN) is None
    runs.end(runs.run(first.id), RunState.DONE, 12, "done")
    assert runs.propose(RUN) is not None


def test_a_run_goes_from_approval_to_its_judgement_and_never_back(runs):
    waiting = runs.propose(replace(RUN, state=RunState.WAITING_APPROVAL))
    assert runs.begin(waiting, 11) is None
    approved = runs.approve(waiting.id, "ann")
    assert (approved.state, approved.approved_by, approved.version) == (RunState.APPROVED, "ann", 2)
    assert runs.approve(waiting.id, "bob") is None
    running = runs.begin(approved, 12)
    assert (running.state, running.began_ns) == (RunState.RUNNING, 12)
    assert runs.refuse(waiting.id, 13, "too late") is None
    done = runs.end(running, RunState.DONE, 14, "it ran")
    assert (done.state, done.ended_ns, done.result) == (RunState.DONE, 14, "it ran")
    assert runs.end(running, RunState.FAILED, 15, "no") is None
    assert runs.judge(running, RunState.HELPED, "no") is None
    useless = runs.judge(done, RunState.USELESS, "it ran, but the incident still fires")
    assert (useless.state, useless.ended_ns, useless.version) == (RunState.USELESS, 14, 5)
    assert runs.runs(RunQuery()) == [useless]


def test_a_run_that_nobody_wants_ends_before_it_begins(runs):
    run = runs.propose(replace(RUN, state=RunState.WAITING_APPROVAL))
    refused = runs.refuse(run.id, 20, "refused by ann")
    assert (refused.state, refused.began_ns, refused.ended_ns) == (RunState.REFUSED, None, 20)
    assert runs.approve(run.id, "bob") is None


def test_of_all_that_try_to_begin_a_run_one_does(runs):
    run = runs.propose(RUN)
    begun, start = [], threading.Barrier(6)

    def take():
        start.wait()
        begun.append(runs.begin(run, 11))

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in begun if each is not None]) == 1


def test_nothing_acts_twice_at_once_on_one_target(runs):
    first, second = runs.propose(RUN), runs.propose(replace(RUN, reaction="scale"))
    elsewhere = runs.propose(replace(RUN, reaction="scale", incident_id=2, target="deployment shop/crm"))
    begun = runs.begin(first, 11)
    assert runs.begin(second, 11) is None
    assert runs.begin(elsewhere, 11) is not None
    runs.end(begun, RunState.DONE, 12, "done")
    assert runs.begin(second, 13) is not None


def test_of_all_that_want_to_act_on_one_target_one_does(runs):
    waiting = [runs.propose(replace(RUN, reaction=f"r{number}")) for number in range(6)]
    begun, start = [], threading.Barrier(6)

    def take(run):
        start.wait()
        begun.append(runs.begin(run, 11))

    threads = [threading.Thread(target=take, args=(run,)) for run in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in begun if each is not None]) == 1


def test_nothing_begins_once_all_are_stopped(runs):
    run = runs.propose(RUN)
    runs.stop("ann", "", 11)
    assert runs.begin(run, 12) is None
    runs.go("ann", 13)
    assert runs.begin(run, 14) is not None


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)  # SQLite has one server
def test_another_server_leaves_alone_what_goes_on_here(runs, place):
    other = open_database(*place)
    run = runs.propose(RUN)
    with runs.going_on(run.id) as free, ReactionRuns(other).going_on(run.id) as free_there:
        assert (free, free_there) == (True, False)
        runs.begin(run, 11)
        assert ReactionRuns(other).interrupted(12) == []
    assert [each.id for each in ReactionRuns(other).interrupted(13)] == [run.id]
    other.close()


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_run_goes_on_for_longer_than_its_database_lets_transactions_idle(runs, database, place):
    other = open_database(*place)
    run = runs.propose(RUN)
    with database.writing() as connection:
        name = connection.scalar(text("SELECT quote_ident(current_database())"))
        connection.execute(text(f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '200ms'"))
    database.close()  # the next connections are new ones
    with runs.going_on(run.id):
        time.sleep(0.6)
        with ReactionRuns(other).going_on(run.id) as free_there:
            assert not free_there
    other.close()


def test_however_many_runs_go_on_the_others_find_a_connection(runs):
    with contextlib.ExitStack() as stack:
        for number in range(30):
            stack.enter_context(runs.going_on(number))
        assert runs.propose(RUN)


def test_a_refusal_is_noted_once_while_it_stays_the_same(runs):
    refused = replace(RUN, state=RunState.REFUSED, ended_ns=10, result="ann stopped all reactions")
    assert runs.note_refusal(refused) is not None
    assert runs.note_refusal(refused) is None
    assert runs.note_refusal(replace(refused, incident_id=2)) is not None
    assert runs.note_refusal(replace(refused, result="bob stopped all reactions")) is not None
    assert runs.note_refusal(refused) is not None


def test_what_ran_when_the_process_ended_has_failed_and_nobody_knows(runs):
    ran = runs.begin(runs.propose(RUN), 11)
    waits = runs.propose(replace(RUN, incident_id=2))
    (failed,) = runs.interrupted(20)
    assert (failed.id, failed.state, failed.ended_ns) == (ran.id, RunState.FAILED, 20)
    assert failed.result.startswith("interrupted: ")
    assert runs.interrupted(30) == []
    assert runs.run(waits.id) == waits


def test_runs_are_listed_newest_first_by_any_field_and_by_pages(runs):
    made = [runs.propose(replace(RUN, incident_id=1 + number % 3, reaction=f"r{number}")) for number in range(6)]
    made[5] = runs.begin(made[5], 11)
    assert runs.runs(RunQuery()) == made[::-1]
    assert runs.runs(RunQuery(reaction="r2")) == [made[2]]
    assert runs.runs(RunQuery(incident_id=1)) == [made[3], made[0]]
    assert runs.runs(RunQuery(states=(RunState.RUNNING,))) == [made[5]]
    assert runs.runs(RunQuery(limit=2)) == [made[5], made[4]]
    assert runs.runs(RunQuery(limit=2, after=made[4].id)) == [made[3], made[2]]
    assert runs.unfinished() == made[::-1]


def test_a_decision_gets_what_it_needs(runs):
    def made(at_ns, incident_id, reaction="restart", end_ns=None):
        run = runs.propose(replace(RUN, at_ns=at_ns, incident_id=incident_id, reaction=reaction))
        return run if end_ns is None else runs.end(runs.begin(run, at_ns), RunState.DONE, end_ns, "done")

    old_here = made(10, 1, end_ns=11)
    old_elsewhere = made(10, 2, end_ns=12)
    long_elsewhere = made(10, 2, end_ns=150)
    new_elsewhere = made(120, 2, end_ns=121)
    waits_elsewhere = made(10, 3)
    made(120, 3, reaction="scale")
    found = runs.about("restart", 1, 100)
    assert found == [waits_elsewhere, new_elsewhere, long_elsewhere, old_here]
    assert old_elsewhere not in found
    assert {run.id for run in runs.since(100)} == {new_elsewhere.id, long_elsewhere.id, waits_elsewhere.id + 1}


def test_the_stop_switch_stays_as_it_was_set(runs):
    assert runs.stopped() is None
    assert runs.stop("ann", "moving house", 5) == Stopped("ann", "moving house", 5)
    assert runs.stop("bob", "", 6) == runs.stopped() == Stopped("bob", "", 6)
    runs.go("ann", 7)
    assert runs.stopped() is None
