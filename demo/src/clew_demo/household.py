"""The child processes: started with a word on the screen, watched, and all gone when we go."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from signal import SIGCONT, SIGKILL, SIGTERM, Signals

import httpx

from clew_demo.screen import Screen

START_S = 40.0
STOP_S = 8.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class CantStart(Exception):
    """A process didn't start, or a server that we were given can't be used; the message says which, and why."""


def free_port(preferred: int) -> int:
    """The preferred port of loopback if nobody has it, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


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

    async def start(self, name: str, command: Sequence[str], ready_url: str = "") -> None:
        """Start a child and wait until it answers at the URL, or without one until it says "ready".

        Raises CantStart when it ends before, or isn't ready in time.
        """
        self._commands[name] = (command, ready_url)
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
        for work in (self._listen(name, child), self._watch(name, child)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._until_ready(name, child, ready_url)

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

    async def _listen(self, name: str, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None, "it was started with a pipe"
        async for line in child.stdout:
            text = line.decode(errors="replace").rstrip()
            if text == "ready":
                self._ready[name].set()
            elif text:
                self._screen.say(name, text)

    async def _watch(self, name: str, child: asyncio.subprocess.Process) -> None:
        code = await child.wait()
        if child not in self._leaving:
            self.fallen.append(name)
            self._screen.say("demo", f"{name} ended by itself, {_ending(code)}")

    async def _until_ready(self, name: str, child: asyncio.subprocess.Process, url: str) -> None:
        try:
            async with asyncio.timeout(START_S):
                while child.returncode is None:
                    if await _answers(url) if url else self._ready[name].is_set():
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise CantStart(f"{name} was not ready within {START_S:.0f} s") from None
        raise CantStart(f"{name} ended while starting, {_ending(child.returncode)}; see what it said above")


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(timeout=2.0) as client:
        try:
            return (await client.get(url)).is_success
        except httpx.TransportError:
            return False


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {Signals(-code).name}"
    return f"with exit code {code}"


def _die_with_parent() -> None:
    """Runs in the child before exec: the kernel ends it when we are killed without a chance to clean up."""
    _libc.prctl(_PR_SET_PDEATHSIG, SIGTERM)
