"""The engine's libraries, imported as they are where pandas and pyarrow aren't installed.

Both offer data frames, which Clew never asks for, at 90 MB of memory; both do without when an import fails.
"""

from __future__ import annotations

import ctypes
import mmap
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_HEAVY = ("pandas", "pyarrow")
_LIBRARY = "/_chdb.abi3.so"
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) .*")


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


def unmap_start_code() -> None:
    """Let the process keep no code that only the engine's start ran through: 90 MB of its resident memory.

    What is needed again is mapped anew from the file when it runs, as at first. Call it when the engine is open.
    """
    with suppress(OSError):  # Clew runs without, too
        madvise = ctypes.CDLL(None).madvise
        for begin, end in unchanged_mappings(Path("/proc/self/smaps").read_text(), _LIBRARY):
            madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), mmap.MADV_DONTNEED)


def unchanged_mappings(smaps: str, library: str) -> list[tuple[int, int]]:
    """Where a library is mapped as its file has it: (begin, end) of mappings that can't be written and never were.

    ``smaps`` is what Linux says in /proc/PID/smaps (proc_pid_smaps(5)). A mapping with anonymous pages was relocated
    when it was loaded; mapped anew, it would be of no use.
    """
    found, place = [], None
    for line in smaps.splitlines():
        if mapping := _MAPPING.fullmatch(line):
            ours = line.endswith(library) and "w" not in mapping[3]
            place = (int(mapping[1], 16), int(mapping[2], 16)) if ours else None
        elif place and line.startswith("Anonymous:") and line.split()[1] == "0":
            found.append(place)
    return found
