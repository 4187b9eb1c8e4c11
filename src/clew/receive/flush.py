"""One flush, on a writer thread: a batch goes into the store and every request gets its own answer."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from clew.model.errors import IngestError, MalformedTelemetry, StoreUnavailable
from clew.store.contract import Batch, Rejected, Store

log = logging.getLogger(__name__)

Outcome = Rejected | IngestError | None

RETRY_PAUSES_S = (0.05, 0.25)


def commit_batch(store: Store, batch: Batch, sleep: Callable[[float], None] = time.sleep) -> list[Outcome]:
    """Store a batch and say for each payload: None is stored, Rejected in part, an error not at all.

    A malformed payload is answered alone; the others go in again under a new token. Never raises:
    an error nobody foresaw becomes StoreUnavailable, so that senders keep their data.
    """
    try:
        rejected = _ingest(store, batch, sleep)
    except MalformedTelemetry:
        return _without_culprits(store, batch, sleep)
    except StoreUnavailable as unavailable:
        return [unavailable] * len(batch.payloads)
    return [rejected.get(index) for index in range(len(batch.payloads))]


def new_token() -> str:
    """A name for a batch that no other batch ever had."""
    return uuid.uuid4().hex


def _ingest(store: Store, batch: Batch, sleep: Callable[[float], None]) -> dict[int, Rejected]:
    """Ingest with quick repeats of the same batch under the same token, which can't double anything."""
    for pause_s in (*RETRY_PAUSES_S, None):
        try:
            return dict(store.ingest(batch))
        except MalformedTelemetry:
            raise
        except Exception as error:
            if pause_s is None:
                raise _as_unavailable(error) from error
            log.warning("commit of %d %s requests failed, trying again: %s", len(batch.payloads), batch.signal, error)
            sleep(pause_s)
    raise AssertionError


def _as_unavailable(error: Exception) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    log.error("the store failed in a way Clew does not know", exc_info=error)
    return StoreUnavailable(f"the store failed: {type(error).__name__}")


def _without_culprits(store: Store, batch: Batch, sleep: Callable[[float], None]) -> list[Outcome]:
    """Find the malformed payloads of a refused batch, then store the others."""
    outcomes = _probe_each(store, batch)
    healthy = [index for index, outcome in enumerate(outcomes) if outcome is None]
    if len(healthy) == len(outcomes):
        return _blame_the_store(batch)
    if healthy:
        rest = replace(batch, payloads=tuple(batch.payloads[i] for i in healthy), token=new_token())
        _place(outcomes, healthy, _commit_rest(store, rest, sleep))
    return outcomes


def _probe_each(store: Store, batch: Batch) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for payload in batch.payloads:
        try:
            store.probe(batch.signal, payload)
            outcomes.append(None)
        except MalformedTelemetry as malformed:
            outcomes.append(malformed)
        except Exception as error:
            outcomes.append(_as_unavailable(error))
    return outcomes


def _commit_rest(store: Store, rest: Batch, sleep: Callable[[float], None]) -> list[Outcome]:
    try:
        rejected = _ingest(store, rest, sleep)
    except MalformedTelemetry:
        return _blame_the_store(rest)
    except StoreUnavailable as unavailable:
        return [unavailable] * len(rest.payloads)
    return [rejected.get(index) for index in range(len(rest.payloads))]


def _blame_the_store(batch: Batch) -> list[Outcome]:
    """Every payload parses alone and the batch does not: a view is at fault, so senders keep their data."""
    log.critical(
        "%d %s requests parse one by one but not together: a view of the store is at fault; nothing was stored",
        len(batch.payloads),
        batch.signal,
    )
    return [StoreUnavailable("the store refuses well-formed telemetry", retry_after_s=2)] * len(batch.payloads)


def _place(outcomes: list[Outcome], indexes: Sequence[int], found: Sequence[Outcome]) -> None:
    for index, outcome in zip(indexes, found, strict=True):
        outcomes[index] = outcome
