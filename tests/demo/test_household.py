"""Children are started, watched and ended, and none outlives the demo."""

import asyncio
import io
import os
import re
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest
from clew_demo.household import CantStart, Household, Ports
from clew_demo.screen import Screen
from rich.console import Console

READY = "print('ready', flush=True); "
SLEEPS = READY + "import time; time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPS


@pytest.fixture
def written():
    return io.StringIO()


@pytest.fixture
async def household(written):
    household = Household(Screen(Console(file=written)), {"PLACE": "Delphi"})
    yield household
    await household.stop_all()


def python(code):
    return [sys.executable, "-c", code]


async def _eventually(holds):
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what we wait for is in another process
            await asyncio.sleep(0.02)


async def test_what_a_child_says_is_on_the_screen_with_its_name(household, written):
    await household.start("mes", python("import os; print(os.environ['PLACE'], flush=True); " + SLEEPS))
    await _eventually(lambda: "Delphi" in written.getvalue())
    assert re.search(r"mes +Delphi", written.getvalue())


async def test_a_child_that_somebody_kills_is_reported(household, written):
    await household.start("mes", python(SLEEPS))
    household.signal("mes", signal.SIGKILL)
    await _eventually(lambda: household.fallen)
    assert household.fallen == ["mes"]
    assert "mes ended by itself, killed by SIGKILL" in written.getvalue()


async def test_a_child_that_we_end_is_not_reported_and_can_be_started_again(household, written):
    await household.start("mes", python(SLEEPS))
    await household.stop("mes", signal.SIGKILL)
    await household.restart("mes")
    await household.stop("mes")
    assert household.fallen == []
    assert "by itself" not in written.getvalue()


async def test_a_frozen_child_can_be_ended(household):
    await household.start("mes", python(SLEEPS))
    household.signal("mes", signal.SIGSTOP)
    await household.stop("mes")


async def test_a_child_that_does_not_listen_is_killed(household, written, monkeypatch):
    monkeypatch.setattr("clew_demo.household.STOP_S", 0.3)
    await household.start("mes", python(DEAF))
    await household.stop("mes")
    assert "mes does not stop, killing it" in written.getvalue()


async def test_the_children_of_a_child_go_with_it(household, tmp_path):
    grandchild = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]); "
    note = tmp_path / "pid"
    await household.start("mes", python(grandchild + f"open({str(note)!r}, 'w').write(str(p.pid)); " + SLEEPS))
    await household.stop("mes")
    await _eventually(lambda: not _alive(int(note.read_text())))


async def test_a_child_that_ends_before_it_is_ready_stops_the_start(household):
    with pytest.raises(CantStart, match="mes ended while starting, with exit code 3"):
        await household.start("mes", python("import sys; sys.exit(3)"))


async def test_children_go_when_the_demo_itself_is_killed(tmp_path):
    note = tmp_path / "pid"
    child = f"import os; open({str(note)!r}, 'w').write(str(os.getpid())); {SLEEPS}"
    parent = (
        "import asyncio, os, signal, sys\n"
        "from clew_demo.household import Household\n"
        "from clew_demo.screen import Screen\n"
        f"asyncio.run(Household(Screen(), {{}}).start('mes', [sys.executable, '-c', {child!r}]))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)
    assert await killed.wait() == -signal.SIGKILL
    await _eventually(lambda: not _alive(int(note.read_text())))


async def test_a_child_is_ready_at_its_own_word_only(household):
    await household.start(
        "clew", python("print('Clew listens: here', flush=True); import time; time.sleep(60)"), "Clew listens"
    )


@pytest.fixture
def taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture
def name(tmp_path):
    return str(tmp_path)


def test_a_taken_port_is_replaced_by_a_free_one(name, taken):
    with closing(Ports(name)) as ports:
        assert ports.take(taken) != taken


def test_a_second_demo_leaves_the_preferred_ports_to_the_first(name):
    with closing(Ports(name)) as first:
        preferred = first.take(0)
        assert first.take(preferred) == preferred
        with closing(Ports(name)) as second:
            assert second.take(preferred) != preferred
    with closing(Ports(name)) as third:
        assert third.take(preferred) == preferred


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
