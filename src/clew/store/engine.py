"""The engine's libraries, imported as they are where pandas and pyarrow aren't installed.

Both offer data frames, which Clew never asks for, at 90 MB of memory; both do without when an import fails.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_HEAVY = ("pandas", "pyarrow")


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Let imports of these fail meanwhile, unless they were imported before; later imports work as ever."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None is the import system's "not there"
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with _without(_HEAVY):
    import chdb as chdb
    from clickhouse_connect.driver import options

    options.pd  # noqa: B018 - it looks for pandas once, when first asked
