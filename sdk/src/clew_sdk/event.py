"""Builds the OTLP event of a milestone or of another fact about an order.

This runs in the request path of the traced service: what is the same for all events of an order, and for all events
of a stage, is encoded once and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from os import urandom

from opentelemetry.trace import get_current_span

from clew_sdk.context import Order, trust
from clew_sdk.masking import masked
from clew_sdk.wire import LOG_ATTRIBUTE, SEVERITY_ERROR, SEVERITY_INFO, Envelope, Value, key_values, log_record

EVENT_NAME = "order.stage"
_UID = "log.record.uid"
_OWN = frozenset(
    (
        "order.id order.stage order.outcome order.path order.flow order.actor order.hold order.reason order.due_at "
        "user.id error.type error.message " + _UID
    ).split()
)


@dataclass(slots=True)
class Fact:
    """What is said of an order. ``stage`` empty: only the rest is said. ``hold`` None: nothing is said of a hold."""

    stage: str = ""
    outcome: str = "ok"
    error: BaseException | str | None = None
    error_type: str = ""
    hold: bool | None = None
    reason: str = ""
    due_at: datetime | int | None = None
    attributes: Mapping[str, Value] | None = None


def requests_for(fact: Fact, order: Order, envelope: Envelope, at_ns: int) -> list[bytes]:
    """One complete OTLP request per order id, each with a uid of its own.

    Raises ValueError when no order is named, for an outcome or due date that means nothing, and for an attribute that
    has an argument of its own; TypeError for an attribute value that OTLP doesn't know.
    """
    if not order.ids:
        raise ValueError("no order: call stage() inside clew_sdk.order('4711') or with order_id='4711'")
    known = order.encoded
    if known is None:
        known = order.encoded = _encoded(_known_of(order))
    said = known + _stage(fact.stage, fact.outcome) + _encoded(_rest(fact))
    span = get_current_span().get_span_context()
    severity = SEVERITY_ERROR if fact.outcome == "failed" else SEVERITY_INFO
    requests = []
    for order_id in order.ids:
        own = key_values(LOG_ATTRIBUTE, {"order.id": order_id, _UID: new_uid()})
        record = log_record(at_ns, EVENT_NAME, severity, own + said, span.trace_id, span.span_id)
        requests.append(envelope.request(record))
    return requests


def new_uid() -> str:
    """A random UUID (version 4) as text; several times cheaper than uuid.uuid4()."""
    raw = urandom(16).hex()
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-{'89ab'[int(raw[16], 16) & 3]}{raw[17:20]}-{raw[20:]}"


def _encoded(attributes: Mapping[str, Value]) -> bytes:
    if not attributes:
        return b""
    if not trust.mask.isdisjoint(attributes):
        attributes = masked(attributes, trust.mask)
    return key_values(LOG_ATTRIBUTE, attributes)


def _known_of(order: Order) -> dict[str, Value]:
    known: dict[str, Value] = {}
    if order.path:
        known["order.path"] = order.path
    if order.user_id:
        known["user.id"] = order.user_id
    if order.flow:
        known["order.flow"] = order.flow
    if order.actor:
        known["order.actor"] = order.actor
    for name, alias in order.aliases.items():
        known[f"order.alias.{name}"] = str(alias)
    return known


@lru_cache(maxsize=256)
def _stage(stage: str, outcome: str) -> bytes:
    if outcome not in ("ok", "failed"):
        raise ValueError(f"outcome {outcome!r} must be 'ok' or 'failed'")
    return key_values(LOG_ATTRIBUTE, {"order.stage": stage, "order.outcome": outcome}) if stage else b""


def _rest(fact: Fact) -> dict[str, Value]:
    said: dict[str, Value] = {}
    if fact.error is not None or fact.error_type:
        said.update(_error(fact))
    if fact.hold is not None:
        said["order.hold"] = fact.hold
    if fact.reason:
        said["order.reason"] = fact.reason
    if fact.due_at is not None:
        said["order.due_at"] = due_ns(fact.due_at)
    if fact.attributes:
        for key in fact.attributes:
            if key in _OWN or key.startswith("order.alias."):
                raise ValueError(f"attributes must not contain {key}: there is an argument for it")
        said.update(fact.attributes)
    return said


def _error(fact: Fact) -> dict[str, Value]:
    error = fact.error
    kind = fact.error_type or (type(error).__qualname__ if isinstance(error, BaseException) else "")
    told: dict[str, Value] = {}
    if kind:
        told["error.type"] = kind
    if error is not None:
        told["error.message"] = str(error)
    return told


def due_ns(due_at: datetime | int) -> int:
    """A due date as Unix nanoseconds. Raises ValueError for a datetime without time zone."""
    if isinstance(due_at, int):
        return due_at
    if due_at.tzinfo is None:
        raise ValueError(f"due_at {due_at.isoformat()} has no time zone; use datetime.now(UTC) or an int of ns")
    return int(due_at.timestamp()) * 1_000_000_000 + due_at.microsecond * 1000
