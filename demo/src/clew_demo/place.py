"""Where the demo runs: the addresses a service needs, handed over in environment variables."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

PREFIX = "DEMO_"


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses of broker, database and the other services; ``database`` is a folder or the URL of a PostgreSQL.

    ``troubles`` is the file that the faults write and the services read.
    """

    broker: str
    database: str
    shop: str
    crm: str
    mes: str
    troubles: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Place:
        """What `environ` of the process that started us says. Raises KeyError for a variable that isn't set."""
        return cls(**{field.name: environ[PREFIX + field.name.upper()] for field in fields(cls)})

    def environ(self) -> dict[str, str]:
        """The variables that tell a service of this place."""
        return {PREFIX + name.upper(): value for name, value in asdict(self).items()}


class Troubles:
    """Orders for which a service misbehaves, by the fault's name: a small JSON file, read at each question."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def planned(self, fault: str, order_id: str) -> bool:
        """Whether this fault shall befall this order."""
        return order_id in self._read().get(fault, [])

    def plan(self, fault: str, order_id: str) -> None:
        """From now on it does."""
        planned = self._read()
        planned.setdefault(fault, []).append(order_id)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(planned))
        fresh.replace(self._path)  # readers see the old file or the new one, never half of it

    def _read(self) -> dict[str, list[str]]:
        if not self._path.exists():
            return {}
        planned: dict[str, list[str]] = json.loads(self._path.read_text())
        return planned
