"""Tests that did not run are named at the end; under CI=true they fail the run, unless listed with a reason.

The list is `tests/allowed_skips.txt`: one `NODE ID  # reason` a line; a line without a reason allows nothing.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

ALLOWED = Path(__file__).with_name("allowed_skips.txt")


def allowed_skips(text: str) -> dict[str, str]:
    """Reason by node id; raises ValueError naming a line that gives no reason."""
    allowed = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, _, reason = (part.strip() for part in line.partition("#"))
        if name and not reason:
            raise ValueError(f"line {number}: {name} is listed without a reason; write `{name}  # why`")
        if name:
            allowed[name] = reason
    return allowed


def forbidden(unrun: Mapping[str, str], allowed: Mapping[str, str], *, ci: bool) -> list[str]:
    """Node ids that must not have been left out, sorted; anybody but CI may leave out what they like."""
    return sorted(unrun.keys() - allowed.keys()) if ci else []


class Unrun:
    """Collects what was skipped, or expected to fail, with its reason."""

    def __init__(self, allowed: Mapping[str, str], *, ci: bool) -> None:
        self._unrun: dict[str, str] = {}
        self._allowed = allowed
        self._ci = ci

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test, or what it needs, was skipped."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A whole module was skipped."""
        self._note(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A run that left out what it must not is a failed run."""
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and self._forbidden():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What could not run and why, in full."""
        if self._unrun:
            terminalreporter.section("could not run")
        for name, reason in sorted(self._unrun.items()):
            terminalreporter.line(f"{name}: {reason}")
        for name in self._forbidden():
            terminalreporter.line(f"FAILED {name}: left out, and not listed in tests/allowed_skips.txt", red=True)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped:
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
        self._unrun[report.nodeid] = str(reason).removeprefix("Skipped: ")

    def _forbidden(self) -> list[str]:
        return forbidden(self._unrun, self._allowed, ci=self._ci)


def pytest_configure(config: pytest.Config) -> None:
    """Watches every run, with the list beside this file."""
    watch = Unrun(allowed_skips(ALLOWED.read_text()), ci=os.environ.get("CI") == "true")
    config.pluginmanager.register(watch, "clew-unrun")
