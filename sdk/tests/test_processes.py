"""Whole processes: they are killed, asked to stop, forked, and end; no stage event is lost or doubled."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdk.tests.backend import OK, Backend, Reply
from sdk.tests.spans import wait_for

PRELUDE = """
import os, signal, sys, threading, time
import clew_sdk
from opentelemetry import trace

sdk = clew_sdk.setup(service="shop-api", endpoint=sys.argv[1], outbox=sys.argv[2], rabbitmq=False)
tracer = trace.get_tracer("shop")

def say(word):
    print(word, flush=True)
"""


class Program:
    """A Python program that uses the SDK; talked to by lines."""

    def __init__(self, backend: Backend, outbox: Path, source: str, first: str, environment: dict[str, str]) -> None:
        text = textwrap.dedent(first) + PRELUDE + textwrap.dedent(source)
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", text, backend.url, str(outbox)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def hears(self, word: str) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line == word, self.process.communicate(timeout=20)[1]

    def last_lines(self) -> int:
        """How many lines it still says up to its end; `communicate` would lose those that were read ahead."""
        assert self.process.stdout is not None
        return len(self.process.stdout.readlines())

    def says(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def ends(self, code: int = 0) -> str:
        """Wait for the end; the text of stderr."""
        _, errors = self.process.communicate(timeout=20)
        assert self.process.returncode == code, errors
        return errors


@pytest.fixture
def run(backend: Backend, outbox: Path) -> Iterator[object]:
    started: list[Program] = []

    def start(source: str, first: str = "", **environment: str) -> Program:
        started.append(Program(backend, outbox, source, first, environment))
        return started[-1]

    yield start
    for program in started:
        with program.process:
            program.process.kill()


SENDS_WHAT_IS_LEFT = "sdk.shutdown(10)"


def test_a_kill_between_stage_and_sending_loses_nothing(run, backend: Backend) -> None:
    backend.decide = lambda _: Reply(503)
    program = run(
        """
        for number in range(50):
            clew_sdk.stage("SUBMITTED", order_id=str(number))
        say("recorded")
        time.sleep(60)
        """
    )
    program.hears("recorded")
    program.process.kill()
    program.ends(-signal.SIGKILL)
    assert backend.events == []

    backend.decide = lambda _: OK
    run(SENDS_WHAT_IS_LEFT).ends()
    assert backend.stages == {(str(number), "SUBMITTED"): 1 for number in range(50)}


@pytest.mark.parametrize("moment", range(4))
def test_a_kill_while_sending_loses_and_doubles_nothing(run, backend: Backend, moment: int) -> None:
    program = run(
        """
        number = 0
        while True:
            clew_sdk.stage("SUBMITTED", order_id=str(number))
            say(number)
            number += 1
        """
    )
    for number in range(20 + 30 * moment):
        program.hears(str(number))
    wait_for(lambda: len(backend.requests) > moment)
    program.process.kill()
    recorded = 20 + 30 * moment + program.last_lines()

    run(SENDS_WHAT_IS_LEFT).ends()
    assert set(backend.stages.values()) == {1}
    # The last event may be recorded without having been said.
    assert len(backend.stages) in (recorded, recorded + 1)


def test_sigterm_sends_spans_and_events_and_ends_the_process_as_before(run, backend: Backend) -> None:
    program = run(
        """
        with tracer.start_as_current_span("submit"):
            clew_sdk.stage("SUBMITTED", order_id="4711")
        say("recorded")
        time.sleep(60)
        """
    )
    program.hears("recorded")
    program.process.terminate()
    program.ends(-signal.SIGTERM)
    assert [span.name for span in backend.spans] == ["submit"]
    assert backend.stages == {("4711", "SUBMITTED"): 1}


def test_sigterm_still_reaches_the_handler_of_the_application(run, backend: Backend) -> None:
    program = run(
        """
        tracer.start_span("work").end()
        say("ready")
        time.sleep(60)
        """,
        first="""
        import signal, sys
        signal.signal(signal.SIGTERM, lambda number, frame: (print("drained", flush=True), sys.exit(7)))
        """,
    )
    program.hears("ready")
    program.process.terminate()
    program.hears("drained")
    program.ends(7)
    assert [span.name for span in backend.spans] == ["work"]


def test_sigterm_that_the_application_ignores_is_ignored(run, backend: Backend) -> None:
    program = run(
        """
        say("ready")
        sys.stdin.readline()
        """,
        first="import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    )
    program.hears("ready")
    program.process.terminate()
    program.says("go on")
    program.ends()


def test_a_backend_that_is_down_delays_the_end_by_seconds_at_most(run, backend: Backend) -> None:
    backend.down()
    program = run(
        """
        tracer.start_span("work").end()
        clew_sdk.stage("SUBMITTED", order_id="4711")
        say("recorded")
        began = time.monotonic()
        sdk.shutdown(timeout=1.0)
        assert time.monotonic() - began < 5.0
        """
    )
    program.hears("recorded")
    program.ends()
    backend.up()
    run(SENDS_WHAT_IS_LEFT).ends()
    assert backend.stages == {("4711", "SUBMITTED"): 1}


def test_a_normal_end_sends_everything(run, backend: Backend) -> None:
    run(
        """
        with clew_sdk.order("4711"), tracer.start_as_current_span("submit"):
            clew_sdk.stage("SUBMITTED")
        """
    ).ends()
    assert [span.name for span in backend.spans] == ["submit"]
    assert backend.stages == {("4711", "SUBMITTED"): 1}


def test_forked_children_record_and_send_their_own_events(run, backend: Backend) -> None:
    run(
        """
        clew_sdk.stage("SUBMITTED", order_id="parent before")
        children = []
        for number in range(3):
            child = os.fork()
            if child == 0:
                clew_sdk.stage("SUBMITTED", order_id=f"child {number}")
                tracer.start_span(f"work {number}").end()
                sys.exit(0)
            children.append(child)
        clew_sdk.stage("SUBMITTED", order_id="parent after")
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        """
    ).ends()
    assert backend.stages == {
        (order, "SUBMITTED"): 1 for order in ("parent before", "parent after", "child 0", "child 1", "child 2")
    }
    assert sorted(span.name for span in backend.spans) == ["work 0", "work 1", "work 2"]


def test_a_child_goes_on_sending_after_the_death_of_its_parent(run, backend: Backend) -> None:
    program = run(
        """
        clew_sdk.stage("SUBMITTED", order_id="parent")
        while not sdk._own._source or sdk._own._source._lock._descriptor is None:
            time.sleep(0.01)
        if os.fork() == 0:
            sys.stdin.readline()
            clew_sdk.stage("SUBMITTED", order_id="child")
            sdk.shutdown(10)
            say("sent")
            os._exit(0)
        say("forked")
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    program.hears("forked")
    assert program.process.wait(timeout=20) == -signal.SIGKILL
    program.says("go")
    program.hears("sent")
    assert backend.stages == {("parent", "SUBMITTED"): 1, ("child", "SUBMITTED"): 1}


def test_forks_under_load_lose_and_double_nothing(run, backend: Backend) -> None:
    run(
        """
        def tell(name):
            for number in range(40):
                clew_sdk.stage("SUBMITTED", order_id=f"{name} {number}")

        threads = [threading.Thread(target=tell, args=(f"thread {number}",)) for number in range(3)]
        for thread in threads:
            thread.start()
        children = []
        for number in range(6):
            child = os.fork()
            if child == 0:
                tell(f"child {number}")
                sdk.shutdown(10)
                os._exit(0)
            children.append(child)
        for thread in threads:
            thread.join()
        assert all(os.waitpid(child, 0)[1] == 0 for child in children)
        sdk.shutdown(10)
        """
    ).ends()
    names = [f"thread {number}" for number in range(3)] + [f"child {number}" for number in range(6)]
    assert backend.stages == {(f"{name} {number}", "SUBMITTED"): 1 for name in names for number in range(40)}


def test_setup_again_gives_the_same_handle(run) -> None:
    run(
        """
        assert clew_sdk.setup(service="other") is sdk
        assert sdk.provider.resource.attributes["service.name"] == "shop-api"
        """
    ).ends()


@pytest.mark.parametrize(
    ("environment", "check"),
    [
        ({}, "span.is_recording()"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "not span.is_recording()"),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, "not span.is_recording()"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "team=rings"}, "sdk.provider.resource.attributes['team'] == 'rings'"),
    ],
)
def test_the_standard_variables_are_respected(run, environment: dict[str, str], check: str) -> None:
    run(
        f"""
        from opentelemetry.propagate import extract
        unsampled = extract({{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}})
        span = tracer.start_span("work", unsampled)
        assert {check}
        """,
        **environment,
    ).ends()


def test_an_application_with_a_provider_of_its_own_keeps_it(run) -> None:
    run(
        """
        assert trace.get_tracer_provider() is own is sdk.provider
        with clew_sdk.order("4711"):
            assert tracer.start_span("work").attributes["order.id"] == "4711"
        """,
        first="""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        own = TracerProvider()
        trace.set_tracer_provider(own)
        """,
    ).ends()
