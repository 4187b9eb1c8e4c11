"""The child processes: started with a word on the screen, watched, and all gone when we go."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from signal import SIGCONT, SIGKILL, SIGTERM, Signals

from clew_demo.screen import Screen

START_S = 40.0
STOP_S = 8.0
READY = "ready"
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class CantStart(Exception):
    """A process didn't start, or a server that we were given can't be used; the message says which, and why."""


class Ports:
    """Free ports on loopback: the preferred ones for the first demo on this machine, any for a second one.

    Nothing keeps a port free until a child listens on it, so two demos that started together would take each other's;
    a name in the kernel's abstract namespace, which goes with the process, tells the first from the others.
    """

    def __init__(self, name: str = "clew-demo") -> None:
        self._claim = socket.socket(socket.AF_UNIX)
        self._first = True
        try:
            self._claim.bind(f"\0{name}")
        except OSError:
            self._first = False

    def take(self, preferred: int) -> int:
        """The preferred port if it is ours to have, else any free one."""
        for port in (preferred, 0) if self._first else (0,):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return int(probe.getsockname()[1])
        raise CantStart("no port of 127.0.0.1 is free")

    def close(self) -> None:
        """Let another demo be the first."""
        self._claim.close()


class Household:
    """All children by name. An end that nobody asked for is reported and kept in ``fallen``."""

    def __init__(self, screen: Screen, environ: Mapping[str, str]) -> None:
        self._screen = screen
        self._environ = {**os.environ, **environ, "PYTHONUNBUFFERED": "1"}
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._commands: dict[str, tuple[Sequence[str], str]] = {}
        self._leaving: set[asyncio.subprocess.Process] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready: dict[str, asyncio.Event] = {}
        self.fallen: list[str] = []

    async def start(self, name: str, command: Sequence[str], ready: str = READY) -> None:
        """Start a child and wait until it says a line that begins with the word ``ready``.

        Its own word, and no answer from its port: there somebody else may listen. Raises CantStart when it ends before,
        or isn't ready in time.
        """
        self._commands[name] = (command, ready)
        self._ready[name] = asyncio.Event()
        child = await asyncio.create_subprocess_exec(
            *command,
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C comes to us alone; we end the children in order
            preexec_fn=_die_with_parent,
        )
        self._children[name] = child
        for work in (self._listen(name, child, ready), self._watch(name, child)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._until_ready(name, child)

    async def restart(self, name: str) -> None:
        """Start a stopped child again, as it was started first."""
        await self.start(name, *self._commands[name])

    def signal(self, name: str, number: Signals) -> None:
        """Send a signal to the child's whole group; one that is gone hears nothing."""
        with suppress(ProcessLookupError):
            os.killpg(self._children[name].pid, number)

    async def stop(self, name: str, number: Signals = SIGTERM) -> None:
        """End a child and its group; one that doesn't go in time is killed."""
        child = self._children[name]
        self._leaving.add(child)
        if child.returncode is None:
            self.signal(name, number)
            self.signal(name, SIGCONT)  # a frozen one would never hear the first
        try:
            await asyncio.wait_for(child.wait(), STOP_S)
        except TimeoutError:
            self._screen.say("demo", f"{name} does not stop, killing it")
            self.signal(name, SIGKILL)
            await child.wait()

    async def stop_all(self) -> None:
        """End all children, the one that was started last first."""
        for name in reversed(self._commands):
            if name in self._children:
                await self.stop(name)
        await asyncio.gather(*self._tasks)

    async def _listen(self, name: str, child: asyncio.subprocess.Process, ready: str) -> None:
        assert child.stdout is not None, "it was started with a pipe"
        async for line in child.stdout:
            text = line.decode(errors="replace").rstrip()
            if text.startswith(ready):
                self._ready[name].set()
            if text and text != READY:
                self._screen.say(name, text)

    async def _watch(self, name: str, child: asyncio.subprocess.Process) -> None:
        code = await child.wait()
        if child not in self._leaving:
            self.fallen.append(name)
            self._screen.say("demo", f"{name} ended by itself, {_ending(code)}")

    async def _until_ready(self, name: str, child: asyncio.subprocess.Process) -> None:
        ready, ended = asyncio.create_task(self._ready[name].wait()), asyncio.create_task(child.wait())
        try:
            await asyncio.wait({ready, ended}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            ended.cancel()
        if child.returncode is not None:
            raise CantStart(f"{name} ended while starting, {_ending(child.returncode)}; see what it said above")
        if not self._ready[name].is_set():
            raise CantStart(f"{name} was not ready within {START_S:.0f} s")


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {Signals(-code).name}"
    return f"with exit code {code}"


def _die_with_parent() -> None:
    """Runs in the child before exec: the kernel ends it when we are killed without a chance to clean up."""
    _libc.prctl(_PR_SET_PDEATHSIG, SIGTERM)
