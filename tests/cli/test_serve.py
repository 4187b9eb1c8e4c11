"""``clew serve`` as a process: telemetry in, answers out, and a clean end."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from clew.cli.main import main
from tests.builders import logs, span, stage_event, trace_hex, traces

CLEW = str(Path(sys.executable).with_name("clew"))
FREE = "127.0.0.1:0"


class Server:
    def __init__(self, data: Path) -> None:
        self.data = str(data)
        command = [CLEW, "serve", "--data", data, "--otlp-http", FREE, "--otlp-grpc", FREE, "--listen", FREE]
        self.rules = data / "rules.yaml"
        self.declare("stuck")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "CLEW_RULES": str(self.rules)},
        )  # fmt: skip
        assert self.process.stdout
        told = self.process.stdout.readline()
        self.otlp, self.api = re.findall(r"http://[\d.:]+", told)

    def declare(self, *rules: str) -> None:
        """Have these rules in the file that its settings name."""
        bodies = [f"  {name}: {{orders: {{verdicts: [{name}]}}}}\n" for name in rules]
        self.rules.write_text("rules: ours\nversion: 1\nalerts:\n" + "".join(bodies))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CLEW, *arguments], env={**os.environ, "CLEW_URL": self.api}, capture_output=True, text=True, check=False
        )

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout
        with self.process.stdout:
            self.process.stdout.read()
        return self.process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("serve"))
    try:
        send_an_order(started)
        yield started
    finally:
        assert started.stop() == 0


def send_an_order(server: Server) -> None:
    """Send a stage event and its span, and wait until the journey is there."""
    now = time.time_ns()
    for path, request in (
        ("traces", traces("shop-api", span(1, 1, now - 10**9, name="POST /orders", kind="server", order__id="4711"))),
        ("logs", logs("shop-api", stage_event("4711", "SUBMITTED", now - 10**9, trace=1, span=1, order__path="b2c"))),
    ):
        answer = httpx.post(
            f"{server.otlp}/v1/{path}",
            content=request.SerializeToString(),
            headers={"Content-Type": "application/x-protobuf"},
        )
        assert answer.status_code == 200
    until = time.monotonic() + 20
    while httpx.get(f"{server.api}/api/v1/orders/4711").status_code == 404 and time.monotonic() < until:
        time.sleep(0.1)


def test_an_order_sent_over_otlp_is_answered_in_the_terminal(server):
    shown = server.run("order", "4711")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("order 4711: on time in SUBMITTED")
    assert trace_hex(1) in shown.stdout
    assert "4711" in server.run("orders").stdout


def test_the_doctor_finds_a_running_server_well(server):
    shown = server.run("doctor")
    assert shown.returncode == 0, shown.stdout
    assert "ok   clock: agrees" in shown.stdout


def rules_in_force(server: Server) -> list[str]:
    return [each["name"] for each in httpx.get(f"{server.api}/api/v1/rules").json()["rules"]]


def test_rules_are_read_again_without_a_restart(server):
    assert server.run("reload").stdout == "nothing changed\n"
    server.declare("stuck", "lost")
    assert server.run("reload").stdout == "rules: new: lost\n"
    assert rules_in_force(server) == ["stuck", "lost"]
    server.declare("stuk")
    wrong = server.run("reload")
    assert wrong.returncode == 1
    assert "rules.yaml" in wrong.stderr
    assert "did you mean 'stuck'" in wrong.stderr
    assert rules_in_force(server) == ["stuck", "lost"]
    assert "stays in force" in httpx.get(f"{server.api}/api/v1/status").json()["upkeep_problem"]
    server.declare("failed")
    server.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 30
    while rules_in_force(server) != ["failed"] and time.monotonic() < until:
        time.sleep(0.1)
    assert rules_in_force(server) == ["failed"]
    assert httpx.get(f"{server.api}/api/v1/status").json()["upkeep_problem"] is None


def test_a_running_servers_directory_is_not_opened_twice(server):
    shown = server.run("orders", "--data", server.data)
    assert shown.returncode == 1
    assert "another process" in shown.stderr
    assert "ask it by --url" in shown.stderr


@pytest.mark.parametrize(("extra", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_only(server, extra, coloured):
    told = on_a_terminal([CLEW, "orders", "--all"], {"CLEW_URL": server.api, "TERM": "xterm-256color", **extra})
    assert b"4711" in told
    assert (b"\x1b[32m" in told) is coloured


def test_watch_draws_until_it_is_interrupted(server):
    command = [CLEW, "orders", "--watch", "--every", "0.2"]
    told = on_a_terminal(command, {"CLEW_URL": server.api, "TERM": "xterm"}, interrupt_after=b"as of")
    assert b"Traceback" not in told


def on_a_terminal(command: list[str], extra: dict[str, str], interrupt_after: bytes = b"") -> bytes:
    """What a command writes to a terminal; with ``interrupt_after`` it gets Ctrl-C once it has written that."""
    ours, theirs = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")} | extra
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=env)
    os.close(theirs)
    told = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        while part := _read(terminal):
            told += part
            if interrupt_after and interrupt_after in told:
                process.send_signal(signal.SIGINT)
                interrupt_after = b""
    assert process.wait(30) == 0, told
    return told


def _read(terminal) -> bytes:
    try:
        return terminal.read(4096)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--listen", "nowhere"], "write host:port"),
        (["--listen", "0.0.0.0:4380"], "unencrypted connections"),
        (["--config", "/nowhere.yaml"], "can't read the settings file"),
    ],
)
def test_wrong_settings_stop_the_start(tmp_path, arguments, told):
    done = CliRunner().invoke(main, ["serve", "--data", str(tmp_path / "data"), *arguments])
    assert done.exit_code == 1
    assert told in done.output
    assert not (tmp_path / "data").exists()


def test_a_wrong_flow_stops_the_start_with_its_name_and_mistakes(tmp_path):
    flow = tmp_path / "bad.yaml"
    flow.write_text("flow: x\n")
    done = CliRunner().invoke(main, ["serve", "--data", str(tmp_path / "data"), "--flow", str(flow)])
    assert done.exit_code == 1
    assert f"clew: {flow} has " in done.output
    assert "mend: " in done.output
    assert not (tmp_path / "data").exists()


def test_a_start_that_cannot_work_says_why(tmp_path):
    shown = subprocess.run(
        [CLEW, "serve", "--data", tmp_path, "--otlp-http", FREE, "--otlp-grpc", FREE, "--listen", FREE, "--flow", "/nowhere.yaml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 1
    assert "/nowhere.yaml has 1 mistake:\ncan't be read: " in shown.stderr
    assert "Traceback" not in shown.stderr
