"""What a storage engine promises; every engine passes the same test suite.

Threads: every method may be called from any thread but the main one, and blocks until it is done.
Times are Unix nanoseconds. Returned values belong to the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Signal(StrEnum):
    """The OTLP signals that are stored."""

    TRACES = "traces"
    LOGS = "logs"


class Format(StrEnum):
    """The kinds of file that a query's result can be written as. CSV has a line of column names."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Batch:
    """Export requests that are committed together.

    ``payloads`` are OTLP ``Export*ServiceRequest`` messages in protobuf, not yet parsed. ``token``
    names the batch: inserting the same batch under the same token again adds nothing, so it may be
    repeated after an error whose effect is unknown. A batch with other payloads needs another token.
    """

    signal: Signal
    payloads: tuple[bytes, ...]
    token: str
    received_ns: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Items of one request that were left out because they can never be stored, and why."""

    items: int
    reason: str


class Store(Protocol):
    """A ClickHouse engine that holds Clew's tables."""

    def ingest(self, batch: Batch) -> Mapping[int, Rejected]:
        """Store a batch: on return it is fsynced and every query sees it.

        Returns what was left out, by index into ``batch.payloads``; the rest of such a request is
        stored. Raises MalformedTelemetry when some payload doesn't parse (then nothing of the batch
        is stored, and ``probe`` tells which) and StoreUnavailable when it may work later.
        """
        ...

    def probe(self, signal: Signal, payload: bytes) -> None:
        """Parse one request without storing it. Raises MalformedTelemetry or StoreUnavailable."""
        ...

    def import_events(self, lines: bytes, flow: str, received_ns: int, token: str) -> None:
        """Store stage events of imported history; on return they are fsynced and every query sees them.

        ``lines`` are JSON arrays, one a line: order id, stage, time (Unix ns), path, service, actor, user id, due date
        (Unix ns or 0), attributes (object of texts). Events that are there already change nothing. All or none of the
        lines are stored. Raises MalformedHistory, StoreUnavailable.
        """
        ...

    def rows(self, sql: str, bind: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run a query with bound ``{name:Type}`` values; rows by column name. Raises StoreError."""
        ...

    def columns(self, sql: str, bind: Mapping[str, Any] | None = None) -> dict[str, Sequence[Any]]:
        """Run a query as `rows` does; the values of each column by its name, in the order of the SELECT.

        Without a row there is no column either. For many rows: they cost a fifth of what dicts cost.
        """
        ...

    def stream(self, sql: str, binds: Sequence[Mapping[str, Any]], format_: Format) -> Iterator[bytes]:
        """The results of a query, run for each of the bindings in turn, as one file in pieces of up to 1 MiB.

        There is at least one binding. Nothing runs before the first piece is asked for, and little runs ahead of who
        reads. Whoever doesn't read to the end closes the iterator. Raises StoreError and StoreUnavailable, also in the
        midst: what was read until then is no whole file; and StoreUnavailable when too many streams are open.
        """
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows; on return they are fsynced and visible. Raises StoreError, StoreUnavailable."""
        ...

    def command(self, sql: str, bind: Mapping[str, Any] | None = None) -> None:
        """Run a statement without result. Raises StoreError, StoreUnavailable."""
        ...

    def use_rules(self, rules: str) -> None:
        """Derive stage events from spans by this SQL expression (of clew.flow.rules) from now on. Raises StoreError."""
        ...

    def close(self) -> None:
        """Stop running queries and close every connection; idempotent."""
        ...
