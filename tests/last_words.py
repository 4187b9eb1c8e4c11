"""A worker that dies says why: how it ended, and where each of its threads was, with the end of the run.

Without it only the name of a test is left. What the engine's crash or a test that hangs has to say would go to the
standard error of the worker, which pytest keeps to itself until the test ends, or somewhere between the dots of a run.
"""

from __future__ import annotations

import faulthandler
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

PATH, SECONDS = "last_words", "hang_seconds"
MOST_LINES = 150


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long a test may take; it replaces faulthandler_timeout, which writes to the standard error."""
    parser.addini(SECONDS, "a test that takes longer ends its process", default="0")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """A worker writes to its file, and the process that leads them reads it."""
    given = getattr(config, "workerinput", {}).get(PATH)
    if given:
        config.pluginmanager.register(Speaker(given, float(config.getini(SECONDS))), "clew-speaker")
    elif config.getoption("dist", "no") != "no":
        config.pluginmanager.register(Listener(), "clew-listener")


class Speaker:
    """In a worker: crashes and hangs are written to its own file."""

    def __init__(self, path: str, seconds: float) -> None:
        self._file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
        self._seconds = seconds
        self._arm = faulthandler.enable
        # An engine that opens takes the handlers and gives them back (clew.store.embedded): to this file as well.
        faulthandler.enable = self._enable
        faulthandler.enable()

    def _enable(self, *_: object, **__: object) -> None:
        faulthandler.disable()  # else it keeps handlers that were taken meanwhile
        self._arm(file=self._file)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """A fixture that takes too long ends the worker."""
        return (yield from self._within_limits())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """A test that takes too long ends the worker."""
        return (yield from self._within_limits())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """What tidies up must end as well, also after a failure."""
        return (yield from self._within_limits())

    def _within_limits(self) -> Generator[None, object, object]:
        if self._seconds:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._file)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def pytest_unconfigure(self) -> None:
        """The file is closed after it is no longer written to."""
        faulthandler.disable()
        faulthandler.enable = self._arm
        self._file.close()


class Listener:
    """In the process that leads: what is left of workers that died."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="clew-last-words-")
        self._died: list[tuple[str, str]] = []

    def pytest_configure_node(self, node: Any) -> None:
        """Tells the worker its file."""
        node.workerinput[PATH] = str(self._path(node))

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Keeps what a worker that died has said."""
        if error:
            status = node.gateway._io.wait()
            said = self._path(node).read_text(encoding="utf-8", errors="replace").splitlines()
            self._died.append((f"{node.gateway.id} {ended(status)}", "\n".join(said[:MOST_LINES])))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Each worker's last words."""
        for how, said in self._died:
            terminalreporter.section(how)
            terminalreporter.line(said or "it said nothing")

    def pytest_unconfigure(self) -> None:
        """Nothing stays on the disk."""
        self._directory.cleanup()

    def _path(self, node: Any) -> Path:
        return Path(self._directory.name, f"{node.gateway.id}.txt")


def ended(status: int | None) -> str:
    """How a process ended, by its exit code: "was ended by SIGKILL" is what a lack of memory looks like."""
    if status is not None and status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with exit code {status}"
