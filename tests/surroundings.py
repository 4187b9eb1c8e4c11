"""The same surroundings for every test: nothing of the caller's Clew or OpenTelemetry set-up, no deadlines."""

import os

import hypothesis
import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Forgets CLEW_* and OTEL_* variables; makes Hypothesis judge values only, as two shared cores tell no times."""
    for name in [name for name in os.environ if name.startswith(("CLEW_", "OTEL_"))]:
        del os.environ[name]
    hypothesis.settings.register_profile("clew", deadline=None, print_blob=True)
    hypothesis.settings.load_profile("clew")
