"""The control database in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import psycopg
from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from clew.model.errors import ControlError

_PATIENCE_S = 10


def connect(url: str, dumps: Callable[[object], str]) -> Engine:
    """An engine for ``postgresql://…``; ``dumps`` writes JSON. Raises ControlError, which never shows the URL."""
    name = "the control database (PostgreSQL)"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ControlError(
            f"{name} has no address of the form postgresql://user:password@host/database"
        ) from None  # the error has the URL
    if parsed.drivername not in ("postgresql", "postgresql+psycopg", "postgres"):
        raise ControlError(f"{name} needs an address that begins with postgresql:// or postgresql+psycopg://")
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": _PATIENCE_S, "application_name": "clew"},
        pool_pre_ping=True,
        hide_parameters=True,
        json_serializer=dumps,
        json_deserializer=orjson.loads,
    )
    event.listen(engine, "connect", _set_up_postgres)
    return engine


class _WithoutNul(StrDumperUnknown):
    """PostgreSQL keeps no NUL in texts; an order id with one must not hold up everything else."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "\ufffd"))


def _set_up_postgres(connection: psycopg.Connection, _record: object) -> None:
    connection.adapters.register_dumper(str, _WithoutNul)
