"""Conditions on spans in SQL: one text for all of them, whose values are bound."""

from __future__ import annotations

from clew.model.rule import SpanCondition
from clew.store.minutes import HTTP_CODE, KIND_OF_WORK

OF_SMALL_COLUMNS = """({any_service:Bool} OR service IN {services:Array(String)})
    AND ({any_status:Bool} OR status = 2)
    AND ({longer_than:UInt64} = 0 OR duration_ns > {longer_than:UInt64})"""
"""What of a condition is read from small columns: cheap to ask before all of it."""

CONDITION = f"""{OF_SMALL_COLUMNS}
    AND ({{any_operation:Bool}} OR name IN {{operations:Array(String)}}
        OR arrayExists(begin -> startsWith(name, begin), {{operation_begins:Array(String)}}))
    AND ({{any_work:Bool}} OR {KIND_OF_WORK} IN {{work:Array(String)}})
    AND ({{any_http:Bool}} OR {HTTP_CODE} BETWEEN {{http_from:UInt16}} AND {{http_to:UInt16}})
    AND ({{any_attribute:Bool}} OR arrayAll((name_of, value) -> mapContains(attrs, name_of)
        AND (value = '' OR attrs[name_of] = value), {{where_names:Array(String)}}, {{where_values:Array(String)}}))"""
"""Whether a row of spans meets a condition that `bind_condition` binds."""

_LAST_HTTP = 999


def bind_condition(condition: SpanCondition) -> dict[str, object]:
    """The values that `CONDITION` and its part need."""
    begins = [each[:-1] for each in condition.operations if each.endswith("*")]
    return {
        "any_service": not condition.services,
        "services": list(condition.services) or [""],
        "any_operation": not condition.operations,
        "operations": [each for each in condition.operations if not each.endswith("*")] or [""],
        "operation_begins": begins,
        "any_status": not condition.errors_only,
        "longer_than": condition.longer_than_ns,
        "any_work": not condition.work,
        "work": list(condition.work) or [""],
        "any_http": not (condition.http_from or condition.http_to),
        "http_from": condition.http_from,
        "http_to": condition.http_to or _LAST_HTTP,
        "any_attribute": not condition.where,
        "where_names": list(condition.where),
        "where_values": list(condition.where.values()),
    }
