import pytest

from tests.notify.world import quick


@pytest.fixture
def database(tmp_path):
    opened = quick(tmp_path)
    yield opened
    opened.close()
