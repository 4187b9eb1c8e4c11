"""The servers that tests run against are real, apart from each other, and gone when their owner is."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pika
import psycopg
import pytest

from tests.services import packages
from tests.services.browser import Chromium, leave
from tests.services.packages import Unavailable, ensure_installed
from tests.services.process import private_directory, start

ROOT = Path(__file__).parent.parent.parent


def test_two_tests_never_meet_in_one_virtual_host(rabbitmq_url, rabbitmq_vhost_url):
    with _channel(rabbitmq_url) as shared, _channel(rabbitmq_vhost_url) as own:
        shared.queue_declare("orders", auto_delete=True)
        own.queue_declare("orders")
        shared.basic_publish("", "orders", b"4711")
        assert own.basic_get("orders") == (None, None, None)
        own.basic_publish("", "orders", b"4712")
        assert own.basic_get("orders", auto_ack=True)[2] == b"4712"


def test_each_test_gets_an_empty_durable_database(postgres, postgres_dsn, postgres_database):
    with psycopg.connect(postgres_database) as connection:
        connection.execute("CREATE TABLE orders (id text)")
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    postgres.create_database("another")
    with psycopg.connect(postgres.dsn("another")) as connection:
        assert connection.execute("SELECT to_regclass('orders')").fetchone() == (None,)
    postgres.drop_database("another")


def test_node_loads_the_real_exporters(node_modules):
    script = """
        for (const name of Object.keys(require("./package.json").dependencies)) require(name);
        console.log(typeof require("@opentelemetry/exporter-trace-otlp-grpc").OTLPTraceExporter);
    """
    done = subprocess.run(["node", "-e", script], cwd=node_modules.parent, capture_output=True, text=True, check=True)
    assert done.stdout == "function\n"


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_server_ends_with_its_owner(how, tmp_path):
    """The owner is a process of its own here, so that it can be killed."""
    owner_code = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.services.process import private_directory, start
directory = private_directory("sleeper")
seen = directory / "seen"
command = ["sh", "-c", "echo $$ > seen; sleep 300 & sleep 300"]
server = start("sleeper", directory, [command], lambda: seen.exists() and bool(seen.read_text()))
print(directory, seen.read_text().strip(), flush=True)
sys.stdin.read()
server.stop()
"""
    owner = subprocess.Popen(
        [sys.executable, "-c", owner_code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    directory, group = owner.stdout.readline().split()
    assert _group_lives(int(group))
    if how == "killed":
        owner.kill()
    owner.communicate()
    _eventually(lambda: not _group_lives(int(group)) and not Path(directory).exists())


def test_a_server_that_does_not_come_up_says_why():
    directory = private_directory("broken")
    command = ["sh", "-c", "echo no disk left; sleep 0.3; exit 3"]
    with pytest.raises(RuntimeError, match=r"(?s)broken did not start.*no disk left"):
        start("broken", directory, [command], lambda: False)
    assert not directory.exists()


def test_an_interrupted_run_leaves_no_server_behind(tmp_path):
    """Ctrl-C in the middle of a test: the session's fixtures are torn down, and PostgreSQL with them."""
    told = tmp_path / "port"
    test_file = tmp_path / "test_wait.py"
    test_file.write_text(
        "import pathlib, time\n"
        "def test_wait(postgres):\n"
        f"    pathlib.Path({str(told)!r}).write_text(str(postgres.port))\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.services.fixtures", "-c", os.devnull, str(test_file)]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    _eventually(lambda: (told.exists() and told.read_text()) or run.poll() is not None, seconds=60)
    assert run.poll() is None, run.stdout.read()
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=30)
    assert "KeyboardInterrupt" in output
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(told.read_text()))):
        pass


def test_without_root_a_missing_server_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match=r"RabbitMQ is not installed\. As root: apt-get install rabbitmq-server"):
        ensure_installed("RabbitMQ", lambda: None, ("rabbitmq-server",))


@pytest.mark.parametrize("before", [None, "#!/bin/sh\nexit 0\n"], ids=["a plain machine", "a machine with a policy"])
def test_an_installed_server_is_not_started_by_debian(before, tmp_path, monkeypatch):
    policy = tmp_path / "policy-rc.d"
    if before:
        policy.write_text(before)
    monkeypatch.setattr(packages, "POLICY", policy)
    with packages.services_not_started():
        assert policy.read_text() == before or subprocess.run([policy], check=False).returncode == 101
    assert (policy.read_text() if policy.exists() else None) == before


@contextlib.contextmanager
def _channel(url):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    yield connection.channel()
    connection.close()


def _group_lives(group):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


def _eventually(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def test_a_browser_that_hangs_is_ended_and_another_one_started():
    chromium = Chromium()
    try:
        with pytest.raises(TimeoutError, match="within 2 s"), chromium.within(2) as running:
            running.new_page().evaluate("() => { while (true); }")
        with chromium.within(60) as running:
            page = running.new_page()
            assert page.evaluate("1 + 1") == 2
            leave(page.context)
    finally:
        chromium.stop()
