"""The same surroundings for every test: nothing of the caller's set-up or terminal, no deadlines."""

import os

import hypothesis
import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Forgets CLEW_* and OTEL_* variables and the terminal's width, which pytest's workers have as well.

    Hypothesis judges values only, as two shared cores tell no times.
    """
    for name in [name for name in os.environ if name.startswith(("CLEW_", "OTEL_")) or name == "COLUMNS"]:
        del os.environ[name]
    hypothesis.settings.register_profile("clew", deadline=None, print_blob=True)
    hypothesis.settings.load_profile("clew")
