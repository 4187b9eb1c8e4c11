"""What is shown of one span; built from values, with no reading of anything."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from clew.api.span_models import attributes_model, json_value
from clew.store.anyvalue import Attributes, Value
from clew.store.order_spans import SpanLine
from clew.store.spans import LogRecord, SpanEvent, SpanLink
from clew.store.trace_lines import OpenedSpan

_FOUND_BY = ("string", "bool", "int")
_LONGEST_FOUND = 300
_EXCEPTION = ("exception.type", "exception.message", "exception.stacktrace")


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """An attribute: its ``key``, the ``type`` it was sent with, its value as ``text``, and ``find``: the address that
    finds spans with the same value (empty where that can't be searched for)."""

    key: str
    type: str
    text: str
    find: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event of a span: its ``name``, ``at_ns`` (Unix ns), ``after_ns`` since the span began, its ``attributes``.

    Of an exception also its type and message as ``told``, and its ``stack``; both empty else. ``dropped`` attributes
    were left out by the sender.
    """

    name: str
    at_ns: int
    after_ns: int
    told: str
    stack: str
    attributes: tuple[AttributeRow, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link to another span: ``trace_id`` and ``span_id`` in hex, ``inside`` the same trace, its ``attributes``."""

    trace_id: str
    span_id: str
    inside: bool
    attributes: tuple[AttributeRow, ...]


@dataclass(frozen=True, slots=True)
class LinkingRow:
    """A span that links to this one: ``trace_id``, ``span_id``, ``service``, ``name``, ``start_ns`` (Unix ns)."""

    trace_id: str
    span_id: str
    service: str
    name: str
    start_ns: int


@dataclass(frozen=True, slots=True)
class LogRow:
    """A log record: ``at_ns`` (Unix ns), ``after_ns`` since the span or trace began (None: unknown), ``service``,
    ``severity``, whether it is ``bad`` (an error or worse), what it ``text`` says, its ``attributes``, ``span_id``."""

    at_ns: int
    after_ns: int | None
    service: str
    severity: str
    bad: bool
    text: str
    attributes: tuple[AttributeRow, ...]
    span_id: str


@dataclass(frozen=True, slots=True)
class SpanDetails:
    """A span opened.

    ``trace_id``, ``span_id`` and ``parent_span_id`` (empty for a root) in hex; ``service``, ``name``, ``kind``,
    ``status`` and its ``message``, ``error`` type, ``failed``; ``start_ns`` (Unix ns), ``duration_ns``. ``order_ids``
    it names; ``facts`` are further (name, value) pairs in words. ``attributes``, ``events``, ``links`` to others,
    ``linked_by``: who links to it, ``logs`` (``more_logs``: not all of them), ``resource`` and ``scope`` attributes,
    the ``scope_name`` with its version. ``dropped`` says what the sender left out, or is empty.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    service: str
    name: str
    kind: str
    status: str
    message: str
    error: str
    failed: bool
    start_ns: int
    duration_ns: int
    order_ids: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    attributes: tuple[AttributeRow, ...]
    events: tuple[EventRow, ...]
    links: tuple[LinkRow, ...]
    linked_by: tuple[LinkingRow, ...]
    logs: tuple[LogRow, ...]
    more_logs: bool
    resource: tuple[AttributeRow, ...]
    scope_name: str
    scope: tuple[AttributeRow, ...]
    dropped: str


@dataclass(frozen=True, slots=True)
class SpanPage:
    """The page of one span: its details, ``opened``."""

    opened: SpanDetails


def span_details(found: OpenedSpan) -> SpanDetails:
    """What is shown of a span."""
    span, origin = found.span, found.origin
    scope_name = " ".join((origin.scope_name, origin.scope_version)).strip() if origin else span.scope
    return SpanDetails(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        service=span.service,
        name=span.name,
        kind=span.kind.value,
        status=span.status.value,
        message=span.status_message,
        error=span.error,
        failed=span.status.value == "error" or span.error != "",
        start_ns=span.start_ns,
        duration_ns=span.duration_ns,
        order_ids=span.order_ids,
        facts=_facts(found),
        attributes=attribute_rows(span.attributes, search=True),
        events=tuple(_event_row(each, span.start_ns) for each in span.events),
        links=tuple(_link_row(each, span.trace_id) for each in span.links),
        linked_by=tuple(_linking_row(each) for each in found.linked_by),
        logs=log_rows(found.logs, span.start_ns),
        more_logs=found.more_logs,
        resource=attribute_rows(origin.resource) if origin else (),
        scope_name=scope_name,
        scope=attribute_rows(origin.scope) if origin else (),
        dropped=_dropped(found),
    )


def _facts(found: OpenedSpan) -> tuple[tuple[str, str], ...]:
    span = found.span
    facts = [
        ("user", span.user_id),
        ("attempts before", f"{span.retry_count:,}" if span.retry_count else ""),
        ("ended by time-out", "yes" if span.timeout else ""),
        ("trace state", span.trace_state),
    ]
    return tuple((name, text) for name, text in facts if text)


def _dropped(found: OpenedSpan) -> str:
    span = found.span
    counts = (
        (span.dropped_attributes, "attributes"), (span.dropped_events, "events"), (span.dropped_links, "links"),
    )  # fmt: skip
    said = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return f"The sender left out {said}." if said else ""


def attribute_rows(attributes: Attributes, *, search: bool = False) -> tuple[AttributeRow, ...]:
    """Attributes by key; ``search``: with the address that finds spans with the same value."""
    rows = []
    for each in sorted(attributes_model(attributes), key=lambda one: one.key):
        text = text_of(each.value)
        found = search and each.type in _FOUND_BY and 0 < len(text) <= _LONGEST_FOUND
        find = f"/traces?{urlencode({'attribute': f'{each.key}={text}'})}" if found else ""
        rows.append(AttributeRow(each.key, each.type, text, find))
    return tuple(rows)


def text_of(value: object) -> str:
    """A value of an attribute, as JSON has it, for people: texts as they are, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _event_row(event: SpanEvent, start_ns: int) -> EventRow:
    said = dict(event.attributes)
    shown = event.attributes
    told = stack = ""
    if event.name == "exception":
        kind, message, stack = (text_of(json_value(said.get(key))) for key in _EXCEPTION)
        told = ": ".join(part for part in (kind, message) if part)
        shown = tuple((key, value) for key, value in event.attributes if key not in _EXCEPTION)
    return EventRow(
        event.name, event.at_ns, event.at_ns - start_ns, told, stack, attribute_rows(shown), event.dropped
    )  # fmt: skip


def _link_row(link: SpanLink, trace_id: str) -> LinkRow:
    return LinkRow(link.trace_id, link.span_id, link.trace_id == trace_id, attribute_rows(link.attributes))


def _linking_row(line: SpanLine) -> LinkingRow:
    return LinkingRow(line.trace_id, line.span_id, line.service, line.name, line.start_ns)


def log_rows(logs: Iterable[LogRecord], start_ns: int | None) -> tuple[LogRow, ...]:
    """Log records in the given order, with the time since a moment."""
    return tuple(
        LogRow(
            at_ns=each.at_ns,
            after_ns=None if start_ns is None else each.at_ns - start_ns,
            service=each.service,
            severity=each.severity or _severity(each.severity_number),
            bad=each.severity_number >= 17,
            text=_said(each.event_name, each.body),
            attributes=attribute_rows(each.attributes),
            span_id=each.span_id,
        )
        for each in logs
    )


def _severity(number: int) -> str:
    """The name of a severity number, as OpenTelemetry's log data model has it; empty when there is none."""
    names = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    return names[(number - 1) // 4] if 1 <= number <= 24 else ""


def _said(event_name: str, body: Value) -> str:
    text = text_of(json_value(body))
    return f"{event_name}: {text}" if event_name and text else event_name or text
