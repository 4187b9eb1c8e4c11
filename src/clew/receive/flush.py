"""One flush, on a writer thread: a batch goes into the store and every request gets its own answer."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clew.model.errors import IngestError, MalformedTelemetry, StoreUnavailable
from clew.store.contract import Batch, Rejected, Signal, Store

log = logging.getLogger(__name__)

Outcome = Rejected | IngestError | None

_MESSAGES: dict[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
RETRY_PAUSES_S = (0.05, 0.25)


def commit_batch(store: Store, batch: Batch, sleep: Callable[[float], None] = time.sleep) -> list[Outcome]:
    """Store a batch and say for each payload: None is stored, Rejected in part, an error not at all.

    A malformed payload is answered alone; the others go in again under a new token. Never raises:
    an error nobody foresaw becomes StoreUnavailable, so that senders keep their data.
    """
    try:
        return _ingest(store, batch, sleep)
    except MalformedTelemetry:
        return _sort_out(store, batch, sleep)
    except StoreUnavailable as unavailable:
        return [unavailable] * len(batch.payloads)


def new_token() -> str:
    """A name for a batch that no other batch ever had."""
    return uuid.uuid4().hex


def _ingest(store: Store, batch: Batch, sleep: Callable[[float], None]) -> list[Outcome]:
    """Ingest with quick repeats of the same batch under the same token, which can't double anything."""
    pauses_s = list(RETRY_PAUSES_S)
    while True:
        try:
            rejected = store.ingest(batch)
            return [rejected.get(index) for index in range(len(batch.payloads))]
        except MalformedTelemetry:
            raise
        except Exception as error:
            if not pauses_s:
                raise _as_unavailable(error) from error
            log.warning("commit of %d %s requests failed, trying again: %s", len(batch.payloads), batch.signal, error)
            sleep(pauses_s.pop(0))


def _as_unavailable(error: Exception) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    log.error("the store failed in a way Clew does not know", exc_info=error)
    return StoreUnavailable(f"the store failed: {type(error).__name__}")


def _sort_out(store: Store, batch: Batch, sleep: Callable[[float], None]) -> list[Outcome]:
    """Find the malformed payloads of a refused batch, then store the others.

    The store's word counts, but asking it takes milliseconds a payload: those that a quick parser can't
    read are asked about first, and all of them only when it reads every one.
    """
    suspects = [index for index, payload in enumerate(batch.payloads) if not _readable(batch.signal, payload)]
    outcomes: list[Outcome] = [None] * len(batch.payloads)
    for index in suspects or range(len(outcomes)):
        outcomes[index] = _probe(store, batch.signal, batch.payloads[index])
    healthy = [index for index, outcome in enumerate(outcomes) if outcome is None]
    if len(healthy) == len(outcomes):
        return _commit_halves(store, batch, sleep)
    if healthy:
        found = _commit_others(store, _part(batch, healthy), sleep)
        for index, outcome in zip(healthy, found, strict=True):
            outcomes[index] = outcome
    return outcomes


def _readable(signal: Signal, payload: bytes) -> bool:
    try:
        _MESSAGES[signal].FromString(payload)
    except DecodeError:
        return False
    return True


def _probe(store: Store, signal: Signal, payload: bytes) -> IngestError | None:
    try:
        store.probe(signal, payload)
    except MalformedTelemetry as malformed:
        return malformed
    except Exception as error:
        return _as_unavailable(error)
    return None


def _commit_others(store: Store, batch: Batch, sleep: Callable[[float], None]) -> list[Outcome]:
    """Store what is left of a batch."""
    try:
        return _ingest(store, batch, sleep)
    except MalformedTelemetry:
        return _commit_halves(store, batch, sleep)
    except StoreUnavailable as unavailable:
        return [unavailable] * len(batch.payloads)


def _commit_halves(store: Store, batch: Batch, sleep: Callable[[float], None]) -> list[Outcome]:
    """Close in on the payload for which the batch is refused, and store the others on the way.

    When the store can parse that one alone, a view is at fault. Its sender then keeps it, since no
    fault of ours may lose data.
    """
    count = len(batch.payloads)
    if count == 1:
        return [_probe(store, batch.signal, batch.payloads[0]) or _view_fault(batch.signal)]
    middle = count // 2
    first, second = _part(batch, range(middle)), _part(batch, range(middle, count))
    return _commit_others(store, first, sleep) + _commit_others(store, second, sleep)


def _view_fault(signal: Signal) -> StoreUnavailable:
    log.critical("a well-formed %s request is refused: a view of the store is at fault", signal)
    return StoreUnavailable("the store refuses well-formed telemetry", retry_after_s=2)


def _part(batch: Batch, indexes: Iterable[int]) -> Batch:
    return replace(batch, payloads=tuple(batch.payloads[i] for i in indexes), token=new_token())
