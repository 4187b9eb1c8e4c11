"""An empty control database of each kind."""

import pytest

from clew.control.database import open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """What `open_database` needs: a data directory, and an address for PostgreSQL."""
    return tmp_path, request.getfixturevalue("postgres_database") if request.param == "postgresql" else ""


@pytest.fixture
def database(place):
    opened = open_database(*place)
    yield opened
    opened.close()
