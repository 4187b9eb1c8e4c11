"""The embedded engine: ClickHouse in the process (chDB), one data directory, one process.

Batches go in by a memfd on a direct connection, because ``INSERT ... FROM INFILE`` reports an error of any view, which
``send_insert`` hides. Everything else goes through clickhouse-connect, which escapes bound values.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import logging
import os
import re
import signal
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from queue import LifoQueue
from typing import Any, BinaryIO

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.models import SettingDef

from clew.model.errors import MalformedHistory, MalformedTelemetry, StoreError, StoreUnavailable
from clew.store.contract import Batch, Format, Rejected, Signal
from clew.store.engine import chdb, unmap_start_code
from clew.store.engine_config import ENCRYPTED_DISK, KEY_VARIABLE, EngineLimits, check_key, engine_config
from clew.store.migrate import migrate
from clew.store.render import Layout, render_import, render_view
from clew.store.sanitize import sanitize
from clew.store.streaming import Streams

log = logging.getLogger(__name__)

_MESSAGE = {Signal.TRACES: "Traces", Signal.LOGS: "Logs"}
_TABLE = {Signal.TRACES: "otlp_traces", Signal.LOGS: "otlp_logs"}
READERS = 8
"""How many reads run at a time; more wait for their turn. Enough for all workers, what `both` reads beside them, the
watcher and upkeep: no search holds these up. One that is idle takes less than 1 MB."""

_LIMITS = {"max_execution_time": 60}
_SPILLING = [f"max_bytes_ratio_before_external_{each}" for each in ("group_by", "sort", "distinct", "join")]
# What the engine answers when a payload is no protobuf of the declared shape (CANNOT_PARSE..., UNKNOWN_PROTOBUF_FORMAT,
# PROTOBUF_BAD_CAST, ATTEMPT_TO_READ_AFTER_EOF, CANNOT_READ_ALL_DATA, BAD_ARGUMENTS, ...).
_PARSE_CODES = {6, 25, 26, 27, 32, 33, 36, 38, 41, 70, 72, 117, 246, 444, 445, 457, 636, 691}
_REJECT_CODES = {131, 395}
_CRASH_SIGNALS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGTSTP")


def open_store(
    path: str | Path,
    *,
    layout: Layout | None = None,
    key: str = "",
    limits: EngineLimits | None = None,
    keep_retention: bool = False,
) -> EmbeddedStore:
    """Open (or make) the data directory and bring its schema up to date.

    ``key`` of 64 hex digits encrypts everything at rest. ``keep_retention`` is for who only reads and may not know for
    how long data shall be kept: it is kept as it was. Raises StoreError when another process has the directory, the key
    is wrong, or a newer Clew wrote it.
    """
    data = Path(os.path.realpath(path))
    if bad := set(str(data)) & set("?&'\"%#\n"):
        raise StoreError(f"the engine can't use a data directory with {' '.join(sorted(bad))} in its path: {data}")
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(data)
    except OSError as error:
        raise StoreError(
            f"can't use the data directory {data}: {error.strerror}; choose another with --data"
        ) from error
    try:
        prepared = _prepare(data, layout or Layout(), key, limits or EngineLimits())
        return EmbeddedStore(data, prepared, lock, keep_retention=keep_retention)
    except BaseException:
        lock.close()
        raise


def _prepare(data: Path, layout: Layout, key: str, limits: EngineLimits) -> Layout:
    """Write the engine's own files; the layout as this directory needs it."""
    if key:
        os.environ[KEY_VARIABLE] = check_key(key)
        layout = _on_encrypted_disk(layout)
    _check_encryption_unchanged(data, encrypted=bool(key))
    (data / "otlp.proto").write_text(files("clew.store").joinpath("schema", "otlp.proto").read_text(), encoding="utf-8")
    (data / "engine.xml").write_text(engine_config(str(data), limits, bool(key)), encoding="utf-8")
    return layout


def _lock(data: Path) -> BinaryIO:
    """Hold the directory for this process; the kernel lets go of it when the process ends, however it ends."""
    file = (data / "clew.lock").open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read(20).decode(errors="replace")
        file.close()
        raise StoreError(
            f"another process ({holder or 'unknown'}) has {data} open; ask it by --url, stop it, or use another --data"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()).encode())
    file.flush()
    return file


def _on_encrypted_disk(layout: Layout) -> Layout:
    # The engine doubles the path when it syncs a directory of an encrypted disk, which fails every insert.
    return replace(layout, disk=ENCRYPTED_DISK, fsync_directory=False)


def _check_encryption_unchanged(data: Path, *, encrypted: bool) -> None:
    fresh = not (data / "engine").exists()
    was = (data / "sealed").exists()
    if not fresh and was != encrypted:
        raise StoreError(
            f"{data} was made {'with' if was else 'without'} encryption; "
            + ("give its key (encryption.key)" if was else "remove encryption.key, or start with a new data directory")
        )


class EmbeddedStore:
    """A Store over chDB. Open it from the main thread, then use it from any other."""

    def __init__(self, data: Path, layout: Layout, lock: BinaryIO, *, keep_retention: bool = False) -> None:
        self._data = data
        self._lock_file = lock
        self._layout = layout
        # A big query would write its interim results to the engine's own directory, which is never encrypted.
        spilling = dict.fromkeys(_SPILLING, "0") if layout.disk == ENCRYPTED_DISK else {}
        settings = {"async_insert": "0"} | spilling
        options = "&".join(f"{name}={value}" for name, value in settings.items())
        self._url = f"{data}/engine?config-file={data}/engine.xml&{options}"
        self._closed = threading.Event()
        self._local = threading.local()
        self._direct: list[Any] = []
        self._lock = threading.Lock()
        with _engine_errors():
            self._anchor = _connect(self._url, encrypted=layout.disk == ENCRYPTED_DISK)
            _restore_crash_handlers()
            self._anchor.query("CREATE DATABASE IF NOT EXISTS clew")

        def connect() -> Client:
            return clickhouse_connect.get_client(
                interface="chdb", path=f"{data}/engine", database="clew", settings=settings
            )

        self._connect = connect
        self._known: dict[str, SettingDef] = {}
        self._readers: LifoQueue[Client | None] = LifoQueue()
        for _ in range(READERS):
            self._readers.put(None)
        self._streams = Streams(connect, _engine_errors)
        migrate(self, layout, keep_retention=keep_retention)
        unmap_start_code()

    def ingest(self, batch: Batch) -> Mapping[int, Rejected]:
        """Store a batch; see the contract."""
        try:
            self._insert_otlp(batch.signal, batch.payloads, batch.token, batch.received_ns)
        except _Refused:
            return self._ingest_sanitized(batch)
        return {}

    def _ingest_sanitized(self, batch: Batch) -> Mapping[int, Rejected]:
        cleaned = [sanitize(batch.signal, payload, batch.received_ns) for payload in batch.payloads]
        try:
            self._insert_otlp(
                batch.signal, tuple(payload for payload, _ in cleaned), f"{batch.token}-sane", batch.received_ns
            )
        except _Refused as error:
            # The two checks disagree: whoever commits takes the batch apart and finds the request, as for any culprit.
            raise MalformedTelemetry(f"the engine refuses items that Clew's own check accepts: {error}") from error
        return {index: rejected for index, (_, rejected) in enumerate(cleaned) if rejected}

    def probe(self, signal: Signal, payload: bytes) -> None:
        """Parse one request without storing it; see the contract."""
        self._insert_from_memfd(
            f"{_TABLE[signal]}_probe", _MESSAGE[signal], _framed((payload,), b""), f"probe-{uuid.uuid4().hex}"
        )

    def _insert_otlp(self, signal: Signal, payloads: Sequence[bytes], token: str, received_ns: int) -> None:
        # fixed64 received_ns = 1000, appended to each message: protobuf merges what is concatenated.
        stamp = b"\xc1\x3e" + received_ns.to_bytes(8, "little")
        self._insert_from_memfd(_TABLE[signal], _MESSAGE[signal], _framed(payloads, stamp), token)

    def _insert_from_memfd(self, table: str, message: str, content: bytes, token: str) -> None:
        with _memfd(content) as path, _ingest_errors():
            self._connection().query(
                f"INSERT INTO {table} FROM INFILE '{path}' SETTINGS "
                f"format_schema = '{self._data}/otlp.proto:{message}', input_format_protobuf_oneof_presence = 1, "
                "async_insert = 0, max_threads = 1, max_insert_threads = 1, max_partitions_per_insert_block = 0, "
                "max_insert_block_size = 1048576, materialize_skip_indexes_on_insert = 0, "
                f"insert_deduplication_token = '{token}' FORMAT Protobuf"
            )

    def import_events(self, lines: bytes, flow: str, received_ns: int, token: str) -> None:
        """Store stage events of imported history; see the contract."""
        with _memfd(lines) as path:
            bind = {"file": path, "flow": flow, "received_ns": received_ns, "token": token}
            try:
                self._connection().query(render_import(self._layout), params=bind)
            except chdb.ChdbError as error:
                if _code(error) in _REJECT_CODES:
                    told = (
                        "an event needs an order id, a stage and a time between 1970 and 2116; no text over 1000 bytes"
                    )
                    raise MalformedHistory(told) from error
                if _code(error) in _PARSE_CODES:
                    raise MalformedHistory(f"not a line of events: {_first_line(error)}") from error
                raise StoreUnavailable(f"the engine can't store now: {_first_line(error)}") from error

    def _connection(self) -> Any:  # noqa: ANN401 - chdb has no types
        if self._closed.is_set():
            raise StoreUnavailable("the store is closing")
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = chdb.connect(self._url)
            connection.query("USE clew")
            self._local.connection = connection
            with self._lock:
                self._direct.append(connection)
        return connection

    def rows(self, sql: str, bind: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run a query; see the contract."""
        with self._client() as client:
            return list(client.query(sql, parameters=dict(bind or {}), settings=dict(_LIMITS)).named_results())

    def columns(self, sql: str, bind: Mapping[str, Any] | None = None) -> dict[str, Sequence[Any]]:
        """Run a query; see the contract."""
        with self._client() as client:
            found = client.query(sql, parameters=dict(bind or {}), settings=dict(_LIMITS))
            return dict(zip(found.column_names, found.result_columns, strict=True))

    def stream(self, sql: str, binds: Sequence[Mapping[str, Any]], format_: Format) -> Iterator[bytes]:
        """The results of a query as a file, piece by piece; see the contract."""
        return self._streams.open(sql, binds, format_)

    def command(self, sql: str, bind: Mapping[str, Any] | None = None) -> None:
        """Run a statement; see the contract."""
        with self._client() as client:
            client.command(sql, parameters=dict(bind or {}))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows; see the contract."""
        if not rows:
            return
        with self._client() as client:
            # A deduplication window without a token would hash every block instead (three times the CPU).
            token = {"insert_deduplication_token": uuid.uuid4().hex, "max_partitions_per_insert_block": 0}
            held = list(rows)
            try:
                client.insert(table, held, column_names=list(columns), settings=token)
            finally:
                # What the client makes of an insert holds itself: the rows would stay until circles are looked for.
                held.clear()

    @contextlib.contextmanager
    def _client(self) -> Iterator[Client]:
        if self._closed.is_set():
            raise StoreUnavailable("the store is closing")
        client = self._readers.get()
        try:
            with _engine_errors():
                client = client or self._new_reader()
                yield client
        finally:
            self._readers.put(client)

    def _new_reader(self) -> Client:
        """Made when it is needed first: it reads all settings of the engine, 15 ms, and one is enough mostly."""
        client = self._connect()
        # Each asks for what settings there are, and would keep 0.7 MB of answers that are the same.
        self._known = self._known or client.server_settings
        client.server_settings = self._known
        return client

    def use_rules(self, rules: str) -> None:
        """Derive stage events by these rules from now on; see the contract."""
        layout = replace(self._layout, rules=rules)
        self.command(f"ALTER TABLE derive_stages_of_spans MODIFY QUERY {render_view(layout, 'derive_stages_of_spans')}")
        self._layout = layout

    def close(self) -> None:
        """Stop running queries and close every connection; see the contract."""
        if self._closed.is_set():
            return
        self._closed.set()
        with contextlib.suppress(Exception):
            self._anchor.query("KILL QUERY WHERE query NOT LIKE '%KILL QUERY%' ASYNC")
        self._streams.close()
        for _ in range(READERS):
            if client := self._readers.get():
                client.close()
        for connection in self._direct:
            connection.close()
        self._anchor.close()
        self._lock_file.close()


class _Refused(Exception):
    """Some item of the batch can never be stored."""


def _framed(payloads: Sequence[bytes], stamp: bytes) -> bytes:
    parts: list[bytes] = []
    for payload in payloads:
        parts += (_varint(len(payload) + len(stamp)), payload, stamp)
    return b"".join(parts)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


@contextlib.contextmanager
def _memfd(content: bytes) -> Iterator[str]:
    descriptor = os.memfd_create("clew")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _code(error: BaseException) -> int:
    match = re.search(r"Code: (\d+)", str(error))
    return int(match.group(1)) if match else 0


@contextlib.contextmanager
def _ingest_errors() -> Iterator[None]:
    try:
        yield
    except chdb.ChdbError as error:
        code = _code(error)
        if code in _REJECT_CODES:
            raise _Refused(str(error)) from error
        if code in _PARSE_CODES:
            raise MalformedTelemetry(f"not an OTLP protobuf message: {_first_line(error)}") from error
        raise StoreUnavailable(f"the engine can't store now: {_first_line(error)}") from error


@contextlib.contextmanager
def _engine_errors() -> Iterator[None]:
    try:
        yield
    except (chdb.ChdbError, ClickHouseError, RuntimeError) as error:
        raise StoreError(_first_line(error)) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:500]


def _connect(url: str, *, encrypted: bool) -> Any:  # noqa: ANN401 - chdb has no types
    try:
        return chdb.connect(url)
    except RuntimeError as error:
        mend = "; is encryption.key the key that this data was made with?" if encrypted else ""
        raise StoreError(f"the engine can't open its data: {_first_line(error)}{mend}") from error


def _restore_crash_handlers() -> None:
    """Make a crash end the process: the engine's own handlers hang it for ever, so that no supervisor restarts it."""
    if threading.current_thread() is not threading.main_thread():
        return
    # Enabled before the engine came, it would be taken for enabled still, without its handlers.
    faulthandler.disable()
    for name in _CRASH_SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    with contextlib.suppress(
        OSError, ValueError, AttributeError
    ):  # a standard error that is no file can't be written to
        faulthandler.enable()
