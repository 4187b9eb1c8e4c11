"""Producer spans, and what the broker says of a message after it was sent."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import propagate
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, use_span

from clew_sdk.event import new_uid
from clew_sdk.rabbitmq.deliveries import tracer
from clew_sdk.rabbitmq.messages import producer_attributes, producer_destination

UNROUTABLE = "unroutable"
NACK = "nack"
_RETURN_WITHIN_NS = 2_000_000_000


class Publication:
    """One publish: the id and headers its message must carry, and how it went."""

    def __init__(self, span: Span, message_id: str, headers: dict[str, Any]) -> None:
        self.span = span
        self.message_id = message_id
        self.headers = headers
        self.held = False

    def failed(self, kind: str, description: str = "") -> None:
        """The message was not taken: ``kind`` is the low-cardinality reason."""
        self.span.set_attribute("error.type", kind)
        self.span.set_status(Status(StatusCode.ERROR, description or None))

    def hold(self) -> None:
        """The broker may still return the message: keep the span open for a moment."""
        self.held = True


@contextmanager
def publishing(
    exchange: str, routing_key: str, message_id: str, correlation_id: str, headers: Mapping[str, Any] | None
) -> Iterator[Publication]:
    """The producer span of one publish; the message must be sent inside with the id and headers it gives."""
    known_id = message_id or new_uid()
    span = tracer.start_span(
        f"publish {producer_destination(exchange, routing_key)}",
        kind=SpanKind.PRODUCER,
        attributes=producer_attributes(exchange, routing_key, known_id, correlation_id),
    )
    with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
        publication = Publication(span, known_id, _own_context(headers or {}))
        try:
            yield publication
        except BaseException as error:
            publication.held = False
            if not getattr(span, "status", Status()).description:
                publication.failed(type(error).__qualname__, f"{type(error).__name__}: {error}")
            raise
        finally:
            if publication.held:
                returns.keep(publication)
            else:
                span.end()


def _own_context(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The headers with the context of this publish and no other: a forwarded message brings that of its sender."""
    carried = propagate.get_global_textmap().fields
    own = {key: value for key, value in headers.items() if key not in carried}
    propagate.inject(own)
    return own


class Returns:
    """Producer spans of mandatory messages without confirms: the broker says nothing when such a message is routed.

    A span waits two seconds for the message to come back; its end is the time of the publish in any case.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Publication, int]] = {}
        self._lock = threading.Lock()
        self._sweeping = False

    def keep(self, publication: Publication) -> None:
        """Keep the span until the message comes back or the time is over."""
        with self._lock:
            self._kept[publication.message_id] = (publication, time.time_ns())
            if self._sweeping:
                return
            self._sweeping = True
        threading.Thread(target=self._sweep, name="clew-returns", daemon=True).start()

    def came_back(self, message_id: str) -> None:
        """The broker returned the message: nothing is bound to take it."""
        with self._lock:
            found = self._kept.pop(message_id, None)
        if found is not None:
            publication, sent_ns = found
            publication.failed(UNROUTABLE)
            publication.span.end(sent_ns)

    def end_all(self, before_ns: int | None = None) -> bool:
        """End the spans sent before that time, or all; True when some are left."""
        with self._lock:
            due = [key for key, (_, sent_ns) in self._kept.items() if before_ns is None or sent_ns <= before_ns]
            ended = [self._kept.pop(key) for key in due]
            left = bool(self._kept)
            self._sweeping = left
        for publication, sent_ns in ended:
            publication.span.end(sent_ns)
        return left

    def after_fork_in_child(self) -> None:
        """The parent tells of its own publishes."""
        self._kept = {}
        self._lock = threading.Lock()
        self._sweeping = False

    def _sweep(self) -> None:
        left = True
        while left:
            time.sleep(0.5)
            left = self.end_all(time.time_ns() - _RETURN_WITHIN_NS)


returns = Returns()
os.register_at_fork(after_in_child=returns.after_fork_in_child)
