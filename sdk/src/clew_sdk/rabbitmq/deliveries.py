"""Consumer spans between delivery and settlement.

A span ends when its handler is done *and* its message is settled, in whichever order that happens:

    begin ── handler runs ── handled ─┐
         └── ack / nack / reject ─────┴── span ends, with clew.message.settlement
              (the channel closes: none)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from clew_sdk.rabbitmq.messages import ACK, NONE, SETTLEMENT, Incoming, carrier, consumer_attributes
from clew_sdk.rabbitmq.messages import consumer_destination as destination
from clew_sdk.version import __version__

tracer = trace.get_tracer("clew_sdk.rabbitmq", __version__)


class Delivery:
    """One delivery of one message: its span and the context its handler works in."""

    __slots__ = ("_failed", "_handled", "_lock", "_settlement", "context", "span")

    def __init__(self, message: Incoming, auto_ack: bool) -> None:
        # The producer's context alone: what happens to be current in the consuming thread is no cause of this delivery.
        came_from = propagate.extract(carrier(message.headers), context=Context())
        producer = trace.get_current_span(came_from).get_span_context()
        self.span: Span = tracer.start_span(
            f"deliver {destination(message)}",
            came_from,
            SpanKind.CONSUMER,
            consumer_attributes(message),
            [Link(producer)] if producer.is_valid else [],
        )
        self.context = trace.set_span_in_context(self.span, came_from)
        self._failed = False
        self._handled = False
        self._settlement = ACK if auto_ack else ""
        self._lock = threading.Lock()
        _unfinished.add(self)

    @contextmanager
    def handling(self) -> Iterator[None]:
        """Run the handler inside: what it starts belongs to this delivery, and what it raises is recorded."""
        entered = self.enter()
        try:
            yield
        except BaseException as error:
            if not isinstance(error, GeneratorExit):
                self.failed(error)
            raise
        finally:
            self.leave(entered)

    def enter(self) -> Context:
        """Make the delivery's context current; returns the one to give to leave()."""
        before = get_current()
        attach(self.context)
        return before

    def leave(self, before: Context) -> None:
        """The handler is done. The context is put back only if it is still ours: a loop may have moved on."""
        if get_current() is self.context:
            attach(before)
        self.handled()

    def failed(self, error: BaseException) -> None:
        """The handler raised; the same error may be seen at several places, and is told once."""
        if self.span.is_recording() and not self._failed:
            self._failed = True
            self.span.record_exception(error)
            self.span.set_attribute("error.type", type(error).__qualname__)
            self.span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def handled(self) -> None:
        """The handler is done, or nobody will know when it is."""
        self._advance(handled=True)

    def settle(self, settlement: str) -> None:
        """The message was settled; the first word counts."""
        self._advance(settlement=settlement)

    def abandon(self) -> None:
        """Nothing more will be heard of this delivery."""
        self._advance(handled=True, settlement=NONE)

    def _advance(self, *, handled: bool = False, settlement: str = "") -> None:
        with self._lock:
            if self._handled and self._settlement:
                return
            self._handled = self._handled or handled
            self._settlement = self._settlement or settlement
            if not (self._handled and self._settlement):
                return
        _unfinished.discard(self)
        self.span.set_attribute(SETTLEMENT, self._settlement)
        self.span.end()


class Ledger:
    """The unsettled deliveries of one channel, by delivery tag."""

    def __init__(self) -> None:
        self._open: dict[int, Delivery] = {}

    def begin(self, message: Incoming, auto_ack: bool) -> Delivery:
        """Start the span of a delivery; with ``auto_ack`` the broker holds it settled already."""
        delivery = Delivery(message, auto_ack)
        if not auto_ack:
            self._open[message.delivery_tag] = delivery
        return delivery

    def unsettled(self, tag: int) -> Delivery | None:
        """The open delivery with that tag."""
        return self._open.get(tag)

    def settle(self, tag: int, multiple: bool, settlement: str) -> None:
        """One tag, or with ``multiple`` all up to it; tag 0 with ``multiple`` means all. Unknown tags are no error."""
        tags = [known for known in tuple(self._open) if known <= tag or tag == 0] if multiple else [tag]
        for known in tags:
            delivery = self._open.pop(known, None)
            if delivery is not None:
                delivery.settle(settlement)

    def close(self) -> None:
        """The channel is gone: the broker will deliver what was not settled again. Handlers may still run."""
        while self._open:
            _, delivery = self._open.popitem()
            delivery.settle(NONE)


def abandon_all() -> None:
    """End the spans of all deliveries that are not over, so that they can still be exported."""
    for delivery in tuple(_unfinished):
        delivery.abandon()


_unfinished: set[Delivery] = set()
# A forked child doesn't own its parent's deliveries: ending their spans there would tell of them twice.
os.register_at_fork(after_in_child=_unfinished.clear)
