"""The ledger: which orders were given which trouble, and what Clew must therefore say of them. Kept as a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ALARMS = frozenset({"stuck", "lost"})


@dataclass(frozen=True, slots=True)
class Planted:
    """An order that met a fault. ``reason`` is the kind of loss when the verdict is ``lost``, else empty."""

    fault: str
    order_id: str
    verdict: str
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What Clew says of an order. ``reason`` is the kind of loss, ``why`` the sentence for people."""

    verdict: str
    reason: str = ""
    why: str = ""


class Ledger:
    """All that was planted so far, written to the file at each entry."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.planted: list[Planted] = []

    @property
    def order_ids(self) -> set[str]:
        """The orders that met a fault."""
        return {entry.order_id for entry in self.planted}

    def plant(self, entry: Planted) -> None:
        """Add an entry."""
        self.planted.append(entry)
        self._path.write_text(json.dumps([asdict(each) for each in self.planted], indent=2) + "\n")


def read_ledger(path: Path) -> list[Planted]:
    """What an earlier run planted."""
    return [Planted(**entry) for entry in json.loads(path.read_text())]


def differences(planted: Iterable[Planted], said: Mapping[str, Said]) -> list[str]:
    """Where Clew's words differ from what was planted, a sentence each; empty when Clew is right.

    Every planted order must have its verdict (and kind of loss), and no other order may be called stuck or lost.
    """
    expected = {entry.order_id: entry for entry in planted}
    wrong = [text for entry in expected.values() if (text := _difference(entry, said.get(entry.order_id)))]
    surplus = [
        f"{order_id} is called {each.verdict}, but nothing was done to it: {each.why}"
        for order_id, each in sorted(said.items())
        if each.verdict in ALARMS and order_id not in expected
    ]
    return wrong + surplus


def _difference(entry: Planted, said: Said | None) -> str:
    wanted = f"{entry.order_id} ({entry.fault}) should be {entry.verdict} {entry.reason}".rstrip()
    if said is None:
        return f"{wanted}, but Clew doesn't know it"
    if (said.verdict, said.reason if entry.reason else "") != (entry.verdict, entry.reason):
        return f"{wanted}, but Clew says {said.verdict} {said.reason}".rstrip() + f": {said.why}"
    return ""
