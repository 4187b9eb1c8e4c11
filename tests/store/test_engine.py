"""What of the engine's library may be mapped anew from its file."""

from __future__ import annotations

import pytest

from clew.store.engine import unchanged_mappings

_PLACE = "7f6b66200000-7f6b6f257000"


def smaps(rights: str, path: str, anonymous_kb: int) -> str:
    """A mapping as proc_pid_smaps(5) lays it out, less the lines that nobody asks for."""
    return f"{_PLACE} {rights} 09056000 fe:00 5359394    {path}\nRss:  120152 kB\nAnonymous:  {anonymous_kb} kB\n"


@pytest.mark.parametrize(
    ("rights", "path", "anonymous_kb", "found"),
    [
        pytest.param("r-xp", "/venv/chdb/_chdb.abi3.so", 0, True, id="its code"),
        pytest.param("r--p", "/a place/_chdb.abi3.so", 0, True, id="its constants"),
        pytest.param("r--p", "/venv/chdb/_chdb.abi3.so", 11_432, False, id="not what was relocated"),
        pytest.param("rw-p", "/venv/chdb/_chdb.abi3.so", 0, False, id="not what can be written"),
        pytest.param("r-xp", "/usr/lib/libc.so.6", 0, False, id="no other library"),
    ],
)
def test_only_what_is_as_the_file_has_it_is_mapped_anew(rights: str, path: str, anonymous_kb: int, found: bool) -> None:
    expected = [(0x7F6B66200000, 0x7F6B6F257000)] if found else []
    assert unchanged_mappings(smaps(rights, path, anonymous_kb), "/_chdb.abi3.so") == expected


def test_each_mapping_is_judged_for_itself() -> None:
    text = smaps("r-xp", "/usr/lib/libc.so.6", 0) + smaps("r--p", "/venv/_chdb.abi3.so", 4)
    assert unchanged_mappings(text, "/_chdb.abi3.so") == []
