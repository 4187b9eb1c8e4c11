"""How a log record reads in one line."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from clew.api.span_models import json_value
from clew.store.anyvalue import Value
from clew.store.spans import LogRecord

_LONGEST = 400
_ERROR, _WARN = 17, 13
_STAGE_EVENT = "order.stage"
_NUMBERS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def log_level(record: LogRecord) -> str:
    """How grave a record is: ``error``, ``warn``, ``stage`` for a stage event, else empty.

    By the number of https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber.
    """
    if record.severity_number >= _WARN:
        return "error" if record.severity_number >= _ERROR else "warn"
    return "stage" if record.event_name == _STAGE_EVENT else ""


def severity_word(record: LogRecord) -> str:
    """The severity as sent, else the word for its number; empty when nothing is told."""
    known = 1 <= record.severity_number <= 4 * len(_NUMBERS)
    return record.severity or (_NUMBERS[(record.severity_number - 1) // 4] if known else "")


def log_text(record: LogRecord) -> str:
    """The body of a record as text, cut when it is long; without one the event's name and what it says."""
    body = json_value(record.body)
    text = body if isinstance(body, str) else "" if body is None else orjson.dumps(body).decode()
    if not text.strip():
        text = _stage_event_text(dict(record.attributes)) if record.event_name == _STAGE_EVENT else record.event_name
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _stage_event_text(told: Mapping[str, Value]) -> str:
    stage, error = (json_value(told.get(key) or "") for key in ("order.stage", "error.message"))
    if stage and told.get("order.outcome") == "failed":
        return f"{stage} failed{f': {error}' if error else ''}"
    hold = ("a hold begins" if told["order.hold"] is True else "the hold ends") if "order.hold" in told else ""
    return ", ".join(each for each in (f"entered {stage}" if stage else "", hold) if each) or "a fact without a stage"
