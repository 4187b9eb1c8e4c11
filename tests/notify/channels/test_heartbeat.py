"""The dead-man's switch hears of Clew only while Clew is ready."""

import pytest
import yaml

from clew.flow.nodes import Reader
from clew.notify.channels.heartbeat import Heartbeat
from clew.notify.channels.registry import Registry
from tests.fakes.server import BROKEN, FakeServer, Reply, running
from tests.notify.channels.notices import AT


class DeadMan(FakeServer):
    def answer(self, request):
        return Reply(200, b"OK")


@pytest.fixture
def switch():
    with running(DeadMan) as fake:
        yield fake


def read(text, **env):
    reader = Reader()
    found = Registry(env).read_switch(yaml.compose(text, Loader=yaml.SafeLoader), "heartbeat", reader)
    return found, [f"{each.cause}; {each.mend}" for each in reader.problems]


def test_it_reports_while_clew_is_ready(switch):
    line = "{url: env:BEAT, every: 30s, method: POST, allow_private: [127.0.0.1]}"
    found, problems = read(line, BEAT=f"{switch.url}/ping/hush")
    assert problems == []
    trouble = None
    beat = Heartbeat(found, lambda: trouble)
    assert (beat.step(AT), beat.problem, beat.reported_ns) == (30, None, AT)
    assert [(each.method, each.path) for each in switch.requests] == [("POST", "/ping/hush")]
    trouble = "rules don't watch: PostgreSQL is away"
    assert beat.step(AT + 1) == 10
    assert len(switch.requests) == 1
    assert beat.problem == trouble


def test_a_report_that_failed_is_made_again_soon(switch):
    found, _ = read("{url: env:BEAT, allow_private: [127.0.0.1]}", BEAT=f"{switch.url}/hush")
    beat = Heartbeat(found, lambda: None)
    switch.faults = [BROKEN, Reply(404, b"no such check /hush")]
    for _ in range(2):
        assert beat.step(AT) == 10
        assert "127.0.0.1 answers" in beat.problem
        assert "hush" not in beat.problem.replace("no such check /hush", "")
    assert (beat.step(AT), beat.problem) == (60, None)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{}", "the heartbeat: url is missing"),
        ("{url: env:NOWHERE}", "the variable NOWHERE is not set"),
        ("{url: 'http://10.0.0.1/'}", "allow_private: [10.0.0.1]"),
        ("{url: 'https://example.org', every: often}", "write for example 1m"),
        ("{url: 'https://example.org', methd: GET}", "did you mean 'method'?"),
    ],
)
def test_mistakes_of_the_heartbeat_are_told(line, told):
    found, problems = read(line)
    assert found is None
    assert told in problems[0]
