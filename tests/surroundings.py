"""The same surroundings for every test: nothing of the caller's set-up or terminal, no deadlines."""

import functools
import os
import sys

import httpx
import hypothesis
import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Forgets CLEW_* and OTEL_* variables and the terminal's width, which pytest's workers have as well.

    Python keeps what it compiles, as each of the hundreds of processes that tests start compiles all of Clew otherwise.
    httpx reads the 150 roots of trust anew for each client, 20 ms of CPU also where nothing is encrypted: here it does once.
    Hypothesis judges values only, as two shared cores tell no times.
    """
    forgotten = ("COLUMNS", "PYTHONDONTWRITEBYTECODE")
    for name in [name for name in os.environ if name.startswith(("CLEW_", "OTEL_")) or name in forgotten]:
        del os.environ[name]
    sys.dont_write_bytecode = False
    httpx._transports.default.create_ssl_context = functools.cache(httpx.create_ssl_context)
    hypothesis.settings.register_profile("clew", deadline=None, print_blob=True)
    hypothesis.settings.load_profile("clew")
