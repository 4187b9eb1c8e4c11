"""Runs a program of this machine: no shell, few variables, an end in time, and no more of its output than is kept."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from clew.model.reaction import Command
from clew.react.actions.contract import Lack, Occasion, Outside
from clew.react.actions.failures import ActionFailed, ActionUnknown
from clew.react.words import tidy

KEPT = 16 << 10
"""Bytes of an output that are kept at each end; what is between is read and dropped."""

_PIECE = 64 << 10
_GRACE_S = 2.0
_POLL_S = 0.05


class _Kept:
    """The two ends of an output of any length."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = False

    def add(self, piece: bytes) -> None:
        room = KEPT - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:] if room > 0 else piece
        if len(self._tail) > KEPT:
            del self._tail[:-KEPT]
            self._dropped = True

    def text(self) -> str:
        """The output as text, whatever was written."""
        between = b" [...] " if self._dropped else b""
        return bytes(self._head + between + self._tail).decode("utf-8", "replace")


def run_command(action: Command, occasion: Occasion, outside: Outside) -> str:
    """Run it; what it said in words. A dry run only sees whether it could be started.

    Raises ActionFailed when it can't be started or says that it failed, ActionUnknown when it took too long.
    """
    for lack in lacks_of_command(action, outside):
        raise ActionFailed(f"{action.target} can't be run: {lack.told}")
    if occasion.dry:
        return f"would run {' '.join(action.argv)}"
    variables = {name: outside.environment[name] for name in action.environment if name in outside.environment}
    secrets = {name: outside.find(place) for name, place in action.secrets.items()}
    variables |= {name: secret.reveal() for name, secret in secrets.items()} | _facts(occasion)
    code, output = _run(action, variables)
    told = output.text()
    for secret in secrets.values():
        told = secret.hide_in(told)
    said = tidy(told)
    words = f": {said}" if said else ", and said nothing"
    if code is None:
        raise ActionUnknown(f"{action.target} was ended after {action.timeout_ns / 10**9:g} s{words}; raise 'timeout'")
    if code != 0:
        how = f"was ended by {_signal(-code)}" if code < 0 else f"ended with {code}"
        raise ActionFailed(f"{action.target} {how}{words}; run it by hand to see why")
    return f"{action.target} is done{words}"


def lacks_of_command(action: Command, outside: Outside) -> Iterator[Lack]:
    """What keeps a program from being started."""
    program = Path(action.argv[0])
    if not program.is_file():
        yield Lack("run", f"there is no program {program}", "install it, or correct its path")
    elif not os.access(program, os.X_OK):
        yield Lack("run", f"Clew's user may not run {program}", f"allow it, such as with: chmod +x {program}")
    if action.directory and not Path(action.directory).is_dir():
        yield Lack("directory", f"there is no directory {action.directory}", "make it, or change 'directory'")
    for place in action.secrets.values():
        yield from outside.lacks("secrets", place)


def _facts(occasion: Occasion) -> dict[str, str]:
    """What a program may want to know. As variables they are never read as code or as options."""
    incident = occasion.incident
    facts = {
        "CLEW_REACTION": occasion.reaction,
        "CLEW_RUN": str(occasion.run_id),
        "CLEW_INCIDENT": str(incident.id),
        "CLEW_RULE": incident.rule,
        "CLEW_SEVERITY": incident.severity.value,
    }
    return {name: value.replace("\0", "") for name, value in facts.items()}


def _run(action: Command, variables: Mapping[str, str]) -> tuple[int | None, _Kept]:
    """The exit code (None: it took too long and was ended) and the output."""
    output = _Kept()
    deadline = time.monotonic() + action.timeout_ns / 10**9
    try:
        program = subprocess.Popen(  # noqa: S603 - a list from the operator's own file, by no shell
            action.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=action.directory or "/",
            env=dict(variables),
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        raise ActionFailed(f"{action.target} can't be started: {tidy(str(error), 300)}; check the program") from None
    with program:
        assert program.stdout is not None
        ended = _listen(program, program.stdout, output, deadline)
        if not ended:
            _end(program)
        # A child of its own may hold the pipe; what it writes is nobody's output any more.
        program.stdout.close()
    return (program.returncode if ended else None), output


def _listen(program: subprocess.Popen[bytes], pipe: IO[bytes], output: _Kept, deadline: float) -> bool:
    """Read until the program ends; whether it did in time."""
    os.set_blocking(pipe.fileno(), False)
    open_, ended = True, False
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            ready = bool(selector.select(_POLL_S)) if open_ else False
            if ready:
                piece = os.read(pipe.fileno(), _PIECE)
                output.add(piece)
                if not piece:
                    selector.unregister(pipe)
                    open_ = False
            elif ended:
                return True
            else:
                ended = program.poll() is not None
                if not open_ and not ended:
                    ended = _wait(program, min(_POLL_S, max(0.0, deadline - time.monotonic())))
    return program.poll() is not None


def _wait(program: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        program.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(program: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started in its group: it is asked first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(program.pid, number)
        except ProcessLookupError:
            break
        if _wait(program, _GRACE_S) and number is signal.SIGKILL:
            break
    program.wait()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
