"""The handle of one process: what setup() builds, stage() uses and shutdown() ends."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping

from opentelemetry.sdk.trace import TracerProvider

from clew_sdk import lifecycle
from clew_sdk.context import Order, trust
from clew_sdk.event import Fact, requests_for
from clew_sdk.outbox import Outbox, OutboxFull, open_private
from clew_sdk.rabbitmq import end_open_spans, instrument_installed
from clew_sdk.sender import Sender
from clew_sdk.settings import DEFAULT_TRUSTED, GIB, Settings, read_settings
from clew_sdk.source import Connect, Source, SqliteSource, open_source
from clew_sdk.table import Connection, insert
from clew_sdk.tracing import install_tracing
from clew_sdk.transport import Poster
from clew_sdk.version import __version__
from clew_sdk.wire import Envelope

logger = logging.getLogger("clew_sdk")

_setup_lock = threading.Lock()
_handle: Sdk | None = None


class Sdk:
    """Returned by setup(); ends with shutdown(). Safe for threads, and alive in forked children."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # First what can fail: a wrong path must leave nothing behind.
        self._outbox = (
            None if settings.disabled or settings.outbox is None else Outbox(settings.outbox, settings.outbox_limit)
        )
        trust.baggage, trust.mask = settings.trusted_baggage, settings.mask
        self.provider: TracerProvider = install_tracing(settings)
        self._envelope = self._make_envelope()
        self._senders: list[Sender] = []
        self._closed = False
        if self._outbox is not None:
            path = self._outbox.path
            self._own = self._sender(path, lambda: SqliteSource(path, lambda: open_private(path, "NORMAL")))
            self._own.start()  # rows of an earlier process may be waiting
            lifecycle.on_fork(
                self._outbox.before_fork, self._outbox.after_fork_in_parent, self._outbox.after_fork_in_child
            )
        os.register_at_fork(after_in_child=self._after_fork_in_child)

    def record(self, fact: Fact, order: Order, at_ns: int | None, connection: Connection | None) -> bool:
        """Write the fact to the outbox, or with ``connection`` in the caller's own transaction.

        True when it is durable (or will be with the caller's commit). False when the outbox can't take it: an error is
        logged and the caller's work goes on; False too with OTEL_SDK_DISABLED. Errors of the caller's own connection
        are raised.
        """
        if self.settings.disabled:
            return False
        requests = requests_for(fact, order, self._envelope, at_ns or time.time_ns())
        if connection is not None:
            insert(connection, requests)
            return True
        if self._outbox is None:
            raise ValueError("setup(outbox=None) was called: give stage() a connection, or setup() an outbox")
        try:
            self._outbox.append(requests)
        except (OutboxFull, sqlite3.Error, OSError) as error:
            logger.error("stage event %r of order %s was NOT recorded: %s", fact.stage, ", ".join(order.ids), error)
            return False
        self._own.wake()
        return True

    def relay(self, connect: Connect, *, poll_s: float = 0.5) -> None:
        """Send the rows that stage(connection=...) wrote, from now until shutdown, in a background thread.

        ``connect`` opens a new connection to the database with the clew_outbox table; it is called in the thread, and
        again after errors. Any number of processes may relay the same table.
        """
        if not self.settings.disabled:
            self._sender("the outbox table", lambda: open_source(connect), poll_s).start()

    def flush(self, timeout: float = 5.0) -> bool:
        """Export the finished spans, waiting up to ``timeout`` seconds. Stage events are durable without it."""
        return lifecycle.bounded(self.provider.force_flush, timeout)

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Send what can be sent within ``timeout`` seconds and stop; a second call does nothing.

        True when nothing was left. Stage events that are left stay in the outbox for the next start; spans are lost.
        """
        if self._closed:
            return True
        self._closed = True
        end = time.monotonic() + timeout
        end_open_spans()
        spans_out = lifecycle.bounded(self.provider.shutdown, timeout / 2)
        stages_out = [sender.stop(max(0.0, end - time.monotonic())) for sender in self._senders]
        if self._outbox is not None:
            self._outbox.close()
        return spans_out and all(stages_out)

    def _sender(self, name: str, source: Callable[[], Source], poll_s: float = 0.5) -> Sender:
        sender = Sender(name, source, Poster(self.settings).post, poll_s)
        self._senders.append(sender)
        return sender

    def _make_envelope(self) -> Envelope:
        return Envelope(dict(self.provider.resource.attributes), "clew_sdk", __version__)  # type: ignore[arg-type]

    def _after_fork_in_child(self) -> None:
        # The SDK gives the child a service.instance.id of its own, in a hook that ran before this one.
        self._envelope = self._make_envelope()
        for sender in self._senders:
            sender.after_fork_in_child()


def setup(
    service: str | None = None,
    endpoint: str | None = None,
    *,
    outbox: str | os.PathLike[str] | None = "clew-outbox.sqlite",
    headers: Mapping[str, str] | None = None,
    trusted_baggage: tuple[str, ...] = DEFAULT_TRUSTED,
    mask: tuple[str, ...] = ("user.id",),
    rabbitmq: bool = True,
    sigterm: bool = True,
    outbox_limit: int = GIB,
) -> Sdk:
    """Trace this process and send its stage events to Clew: call it once, at the start. A second call returns the same.

    Args:
        service: the service's name; else OTEL_SERVICE_NAME.
        endpoint: base URL of an OTLP/HTTP receiver; else OTEL_EXPORTER_OTLP_ENDPOINT, else http://127.0.0.1:4318.
        outbox: SQLite file for stage events until Clew has them; several processes may share it. None where all stage
            events are written with ``connection=``.
        headers: sent with each request, like an API key; else OTEL_EXPORTER_OTLP_HEADERS.
        trusted_baggage: baggage keys copied to spans. Give () where strangers call: they could name any order.
        mask: attribute keys whose values are shown by their last four characters only.
        rabbitmq: wrap pika and aio-pika where they are installed.
        sigterm: flush on SIGTERM before whatever else happens then; needs the main thread.
        outbox_limit: size in bytes at which the outbox refuses new rows with a logged error.

    Raises ValueError for settings that can't work and sqlite3.Error or OSError when the outbox can't be opened.
    """
    global _handle
    with _setup_lock:
        if _handle is not None:
            return _handle
        settings = read_settings(service, endpoint, outbox, headers, trusted_baggage, mask, outbox_limit)
        handle = Sdk(settings)
        if rabbitmq:
            instrument_installed()
        if sigterm:
            lifecycle.on_sigterm(handle.flush, handle.shutdown, 5.0)
        lifecycle.on_exit(handle.shutdown)
        _handle = handle
        return handle


def handle_or_none() -> Sdk | None:
    """The process's handle; None before setup() and after forget()."""
    return _handle
