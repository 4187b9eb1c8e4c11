"""What takes long begins first: a run over several workers ends when the last of them does.

`@pytest.mark.long` is for tests that take ten seconds or more on an idle machine.
"""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Makes the mark known."""
    config.addinivalue_line("markers", "long: takes ten seconds or more, and so begins first")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves long tests to the front, after pytest-randomly has mixed all; the order stays among themselves."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
