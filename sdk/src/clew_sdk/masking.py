"""Personal data is shown by its last characters only, before it leaves the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link
from opentelemetry.util.types import Attributes

SHOWN = 4
SIGN = "…"

V = TypeVar("V")


def mask(value: str) -> str:
    """The last four characters behind a sign, or the sign alone when there are no more than four.

    Masking a masked value changes nothing, so a value may pass several services that mask.

    >>> mask("user-20931"), mask("4711"), mask("…0931")
    ('…0931', '…', '…0931')
    """
    return SIGN + value[-SHOWN:] if len(value) > SHOWN else SIGN


def masked(attributes: Mapping[str, V], keys: frozenset[str]) -> dict[str, V | str]:
    """The attributes with the values under ``keys`` masked, whatever their type."""
    return {key: mask(str(value)) if key in keys else value for key, value in attributes.items()}


def masked_span(span: ReadableSpan, keys: frozenset[str]) -> ReadableSpan:
    """The span with masked attributes, on itself, its events and its links; the same object when nothing is masked."""
    parts = [span.attributes, *(event.attributes for event in span.events), *(link.attributes for link in span.links)]
    if all(keys.isdisjoint(attributes or ()) for attributes in parts):
        return span
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_bounded(span.attributes, span.dropped_attributes, keys),
        events=[Event(e.name, _bounded(e.attributes, e.dropped_attributes, keys), e.timestamp) for e in span.events],
        links=[Link(i.context, _bounded(i.attributes, i.dropped_attributes, keys)) for i in span.links],
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _bounded(attributes: Attributes, dropped: int, keys: frozenset[str]) -> BoundedAttributes:
    # BoundedAttributes carries the count of attributes that the SDK's limits dropped: it says the span is incomplete.
    bounded = BoundedAttributes(attributes=masked(dict(attributes or {}), keys), immutable=False)
    bounded.dropped = dropped
    return bounded
