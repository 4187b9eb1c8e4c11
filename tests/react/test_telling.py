from dataclasses import replace

import pytest

from clew.model.incident import IncidentState, NoticeKind, Policy, PolicyStep, TransitionKind
from clew.model.reaction import Restart, RunState, Scale, Workload
from clew.notify.escalation import Policies
from clew.react.outside import change_by
from clew.react.telling import Tell, news_of, untold
from clew.react.words import LONGEST_TOLD, in_words, tidy
from tests.react.builders import COMMAND, MINUTE, NOW, a_run, an_incident
from tests.react.shop import HOOK

POLICY = Policy("p", (PolicyStep(0, ("duty",)), PolicyStep(5 * MINUTE, ("boss",))))


@pytest.mark.parametrize(
    ("state", "tell"),
    [
        (RunState.PROPOSED, None), (RunState.APPROVED, None), (RunState.RUNNING, None),
        (RunState.WAITING_APPROVAL, Tell.NOTIFY), (RunState.DONE, Tell.NOTIFY), (RunState.HELPED, Tell.RECORD),
        (RunState.USELESS, Tell.ESCALATE), (RunState.FAILED, Tell.ESCALATE), (RunState.DRY_RUN, Tell.RECORD),
        (RunState.REFUSED, Tell.RECORD),
    ],
)  # fmt: skip
def test_who_is_told_depends_on_what_came_of_it(state, tell):
    news = news_of(a_run(state, result="it ran"), an_incident(), NOW)
    assert (news and news.tell) == tell
    if news:
        assert (news.incident_id, news.run_id, news.transition.at_ns) == (1, 7, NOW)
        assert news.transition.kind is TransitionKind.REACTION
        assert "reaction restart-shop (run 7)" in news.transition.text
        assert "it ran" in news.transition.text


def test_what_the_record_has_is_not_told_again():
    run = a_run(RunState.DONE, result="it ran")
    (news,) = untold([run], an_incident(), [], NOW)
    assert untold([run], an_incident(), [news.transition], NOW + MINUTE) == []
    (later,) = untold([replace(run, state=RunState.USELESS)], an_incident(), [news.transition], NOW)
    assert later.tell is Tell.ESCALATE


def test_a_long_output_is_cut_for_people():
    news = news_of(a_run(RunState.FAILED, result="x" * LONGEST_TOLD), an_incident(owner=""), NOW)
    assert len(news.transition.text) < 600
    assert news.transition.text.endswith("x …; a person must act")


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Restart("api", "shop"), "restart deployment shop/api"),
        (Scale(Workload.STATEFUL_SET, "db", "shop", 1, 5, by=2), "scale stateful set shop/db up by 2, within 1 to 5"),
        (Scale(Workload.DEPLOYMENT, "db", "shop", 0, 5, by=-1), "scale deployment shop/db down by 1, within 0 to 5"),
        (Scale(Workload.DEPLOYMENT, "db", "shop", 0, 5, to=0), "scale deployment shop/db to 0, within 0 to 5"),
        (COMMAND, "run command /bin/true"),
        (HOOK, "call webhook restart-shop"),
    ],
)
def test_an_action_is_told_in_words(action, words):
    assert in_words(action) == words


def test_a_long_text_loses_its_middle():
    assert tidy("a" * 50 + "b" * 50, 30) == "a" * 10 + " […] " + "b" * 15
    assert tidy("  a\n\x00b  ") == "a b"


def told(change):
    return [(telling.channel, telling.kind) for telling in change.tellings]


def test_news_go_the_way_that_incidents_go():
    change_of = change_by(lambda: Policies({"p": POLICY}, ()))
    incident = an_incident(policy="p", told=("duty",), step=1, step_at_ns=NOW + 5 * MINUTE)
    by_state = {}
    for state in (RunState.HELPED, RunState.DONE, RunState.FAILED):
        change = change_of(incident, news_of(a_run(state, result="it ran"), incident, NOW))
        by_state[state] = told(change)
        assert change.transitions[0].kind is TransitionKind.REACTION
    assert by_state[RunState.HELPED] == []
    assert by_state[RunState.DONE] == [("duty", NoticeKind.UPDATED)]
    assert by_state[RunState.FAILED] == [("boss", NoticeKind.ESCALATED)]


def test_a_failure_calls_people_again_though_somebody_had_taken_the_incident():
    change_of = change_by(lambda: Policies({"p": POLICY}, ()))
    taken = an_incident(policy="p", state=IncidentState.ACKNOWLEDGED, told=("duty",), step=2, step_at_ns=None)
    change = change_of(taken, news_of(a_run(RunState.USELESS, result="it ran"), taken, NOW))
    assert change.incident.state is IncidentState.OPEN
    assert ("duty", NoticeKind.ESCALATED) in told(change)
