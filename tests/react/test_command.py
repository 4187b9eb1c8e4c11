"""Programs that behave well, fail, hang, shout, and hand out secrets."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from clew.model.reaction import Command
from clew.react.actions.command import KEPT, run_command
from clew.react.actions.contract import Occasion, Outside
from clew.react.actions.failures import ActionFailed, ActionUnknown
from clew.react.outside import outside_of
from clew.react.words import LONGEST_TOLD
from tests.react.builders import INCIDENT, NOW, SECOND

OCCASION = Occasion("clean", 7, INCIDENT, NOW, dry=False)


def python(code, **parts):
    return Command((sys.executable, "-c", code), **{"timeout_ns": 20 * SECOND, **parts})


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "token").write_text("hunter2\n")
    return outside_of({"PATH": "/bin", "HOME": "/root", "SHOP": "hunter3"}, tmp_path, lambda: NOW)


def test_what_a_program_says_is_its_result(outside):
    assert (
        run_command(Command(("/bin/echo", "$HOME; *", "a b")), OCCASION, outside)
        == "command /bin/echo is done: $HOME; * a b"
    )


def test_a_dry_run_starts_nothing(outside, tmp_path):
    mark = tmp_path / "mark"
    action = Command(("/usr/bin/touch", str(mark)))
    assert run_command(action, replace(OCCASION, dry=True), outside) == f"would run /usr/bin/touch {mark}"
    assert not mark.exists()


def test_a_program_gets_only_the_variables_that_are_named(outside):
    action = python(
        "import os; print(sorted(os.environ), os.environ['TOKEN'] == 'hunter2', os.environ['CLEW_INCIDENT'], os.getcwd())",
        environment=("PATH", "LANG"), secrets={"TOKEN": "file:token"},
    )  # fmt: skip
    told = run_command(action, OCCASION, outside)
    names = ["CLEW_INCIDENT", "CLEW_REACTION", "CLEW_RULE", "CLEW_RUN", "CLEW_SEVERITY", "PATH", "TOKEN"]
    assert told.replace("'LC_CTYPE', ", "").endswith(f"{names} True 1 /")


def test_secrets_are_struck_out_of_what_is_kept(outside):
    action = python("import os; print(os.environ['A'], os.environ['B'])", secrets={"A": "file:token", "B": "env:SHOP"})
    assert run_command(action, OCCASION, outside).endswith("is done: … …")
    failing = python("import os, sys; sys.exit(os.environ['A'])", secrets={"A": "file:token"})
    with pytest.raises(ActionFailed) as caught:
        run_command(failing, OCCASION, outside)
    assert "hunter2" not in str(caught.value)
    assert "hunter" not in repr(outside)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (python("import sys; print('no room'); sys.exit(3)"), "ended with 3: no room; run it by hand to see why"),
        (python("import sys; sys.exit(3)"), "ended with 3, and said nothing; run it by hand"),
        (python("import os; os.kill(os.getpid(), 9)"), "was ended by SIGKILL"),
        (Command(("/nowhere/clean",)), "there is no program /nowhere/clean; install it"),
        (Command(("/bin",)), "there is no program /bin; install it"),
        (
            Command(("/etc/passwd",)),
            "Clew's user may not run /etc/passwd; allow it, such as with: chmod +x /etc/passwd",
        ),
        (Command(("/bin/true",), directory="/nowhere"), "there is no directory /nowhere"),
        (
            Command(("/bin/true",), secrets={"A": "env:NOWHERE"}),
            "can't be run: the variable NOWHERE is not set; set it",
        ),
    ],
)
def test_a_program_that_fails_is_told_with_what_it_said(outside, action, told):
    with pytest.raises(ActionFailed) as caught:
        run_command(action, OCCASION, outside)
    assert told in str(caught.value)


def test_a_file_that_is_no_program_of_this_machine_is_said_to_be(outside, tmp_path):
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    with pytest.raises(ActionFailed, match=r"can't be started: .*check the program"):
        run_command(Command((str(path),)), OCCASION, outside)


def test_a_program_that_takes_too_long_is_ended_with_all_its_children_though_it_refuses(outside, tmp_path):
    pids = tmp_path / "pids"
    # What ignores a signal lets its children ignore it, too.
    code = f"trap '' TERM; echo $$ > {pids}; sleep 600 & echo $! >> {pids}; echo begun; wait; sleep 600"
    with pytest.raises(ActionUnknown, match=r"was ended after 2 s: begun; raise 'timeout'"):
        run_command(Command(("/bin/sh", "-c", code), timeout_ns=2 * SECOND), OCCASION, outside)
    for pid in map(int, pids.read_text().split()):
        assert _gone(pid)


def test_a_program_that_closes_its_output_is_waited_for(outside):
    code = "import os, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(4)"
    with pytest.raises(ActionFailed, match="ended with 4, and said nothing"):
        run_command(python(code), OCCASION, outside)


def test_a_child_that_keeps_the_output_open_holds_up_nothing(outside):
    code = "import os, time\nif os.fork() == 0:\n    time.sleep(3)\n    os._exit(0)\nprint('done')"
    began = time.monotonic()
    assert run_command(python(code), OCCASION, outside).endswith("is done: done")
    assert time.monotonic() - began < 20


def test_an_output_without_end_is_read_and_dropped(outside):
    code = "import sys\nfor _ in range(3000): sys.stdout.write('x' * 10000)\nprint(' the end')"
    told = run_command(python(code), OCCASION, outside)
    assert told.endswith("xx the end")
    assert len(told) < LONGEST_TOLD + 100 < KEPT


def test_hostile_output_is_one_line_of_printable_text(outside):
    code = r"import sys; sys.stdout.buffer.write(b'\x1b[2Ja\r\n\x00b\xff\xe2\x80\xaec\x07'); sys.stdout.flush()"
    told = run_command(python(code), OCCASION, outside)
    assert told.endswith("is done: [2Ja b\ufffd c")
    assert told.isprintable()


def _gone(pid):
    """Whether a process has ended; a zombie that waits for its parent has."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_outside_shows_no_variable():
    assert "hunter" not in repr(Outside(str, None, {"A": "hunter2"}))
