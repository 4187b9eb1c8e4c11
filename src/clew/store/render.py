"""One source of DDL, rendered for one node or for a cluster.

The schema files use a closed set of ``${name}`` placeholders and ``$macro(argument, ...)`` calls; an unknown one is
an error. Nothing from outside is ever pasted, but for the stage rules, whose literals clew.flow.rules quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from string import Template

from clew.model.moments import LAST_NS

ANY_KIND = (
    "Enum8('unset' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, "
    "'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)"
)
ANY_VALUE = (
    f"Tuple(value {ANY_KIND}, string_value String, bool_value Bool, int_value Int64, "
    "double_value Float64, array_value String, kvlist_value String, bytes_value String)"
)
TEXT = "LowCardinality(String)"
NO_RULES = "CAST([], 'Array(Tuple(String, String, String, String, String))')"


@dataclass(frozen=True, slots=True)
class Masking:
    """What never reaches the disk in clear.

    Values of ``removed`` keys, all but the last four characters of ``shortened`` ones, query strings of ``urls``.
    """

    removed: tuple[str, ...] = (
        "url.query",
        "http.request.body",
        "http.response.body",
        "messaging.message.body",
        "http.request.header.authorization",
        "http.request.header.cookie",
    )
    shortened: tuple[str, ...] = ("user.id", "enduser.id", "user.email", "user.name", "user.full_name")
    urls: tuple[str, ...] = ("url.full", "http.url", "http.target")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tables live and what the deployment asks of them.

    ``cluster`` is the name in ``ON CLUSTER``; empty means one node. Days of 0 keep for ever.
    ``fsync_directory`` is off on an encrypted disk, where the engine can't do it.
    """

    cluster: str = ""
    span_days: int = 30
    event_days: int = 400
    figure_days: int = 400
    disk: str = ""
    fsync_directory: bool = True
    rules: str = NO_RULES
    spans_source: str = "spans_in"
    masking: Masking = field(default_factory=Masking)


def literal(text: str) -> str:
    """A ClickHouse string literal of a setting's value (keys of attributes, names)."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _text(x: str) -> str:
    return (
        f"multiIf({x}.value = 'string_value', {x}.string_value, {x}.value = 'int_value', toString({x}.int_value), "
        f"{x}.value = 'double_value', toString({x}.double_value), "
        f"{x}.value = 'bool_value', if({x}.bool_value, 'true', 'false'), {x}.value = 'unset', '', "
        f"base64Encode(concat({x}.array_value, {x}.kvlist_value, {x}.bytes_value)))"
    )


def shortened(text: str) -> str:
    """SQL that shows only the last four characters of a text."""
    return f"concat('…', if(lengthUTF8({text}) > 4, rightUTF8({text}, 4), ''))"


def _text_map(masking: Masking, a: str) -> str:
    """A Map of attribute texts, masked. Text first, mask second: in one expression it costs 7 us a span more."""
    return _masked_map(masking, f"CAST({a}.key, 'Array({TEXT})')", f"arrayMap(x -> {_text('x')}, {a}.value)")


def _masked_map(masking: Masking, keys: str, texts: str) -> str:
    actions = dict.fromkeys(masking.removed, 1) | dict.fromkeys(masking.shortened, 2) | dict.fromkeys(masking.urls, 3)
    if not actions:
        return f"mapFromArrays({keys}, {texts})"
    named = ", ".join(literal(key) for key in actions)
    action = f"transform(k, [{named}], [{', '.join(map(str, actions.values()))}], 0)"
    masked = (
        f"multiIf({action} = 0, v, {action} = 1, '[removed]', {action} = 2, {shortened('v')}, "
        "cutQueryStringAndFragment(v))"
    )
    return f"mapFromArrays({keys}, arrayMap((k, v) -> {masked}, {keys}, {texts}))"


def _macros(layout: Layout) -> Mapping[str, Callable[..., str]]:
    ids = r"extractAll(base64Decode(a['order.ids']), '(?s)\\n.\\n.([^\\n]+)')"
    return {
        "text": _text,
        "text_map": lambda a: _text_map(layout.masking, a),
        "masked_map": lambda a: _masked_map(layout.masking, f"CAST(mapKeys({a}), 'Array({TEXT})')", f"mapValues({a})"),
        "masked_text": lambda key, text: f"{_masked_map(layout.masking, f'[{key}]', f'[{text}]')}[{key}]",
        "kinds": lambda a: f"{a}.value.value",
        "moment": lambda a, b, c: f"multiIf({a} > 0, {a}, {b} > 0, {b}, {c})",
        "in_range": lambda x: (
            f"{x} BETWEEN received_ns - toUInt64({MAX_AGE_NS}) AND received_ns + toUInt64({MAX_AHEAD_NS})"
        ),
        "in_span_of_time": lambda at, received: (
            f"{at} BETWEEN toUnixTimestamp64Nano({received}) - {MAX_AGE_NS} "
            f"AND toUnixTimestamp64Nano({received}) + {MAX_AHEAD_NS}"
        ),
        "service": lambda r: f"arrayFirst(x -> x.key = 'service.name', {r}.attributes).value.string_value",
        "origin": lambda rs, ss: f"sipHash64({rs}.resource, {rs}.schema_url, {ss}.scope, {ss}.schema_url)",
        "order_ids": lambda a: (
            f"multiIf({a}['order.id'] != '', [{a}['order.id']], {a}['order.ids'] != '', {ids.replace('a[', a + '[')}, "
            "CAST([], 'Array(String)'))"
        ),
        "origin_columns": _origin_columns,
        "fact_orders": lambda a, outer: (
            f"multiIf({a}['order.id'] != '', [{a}['order.id']], {a}['order.ids'] != '', {ids.replace('a[', a + '[')}, "
            f"notEmpty({outer}), {outer}, "
            f"[arrayFirst(v -> v != '', mapValues(mapFilter((k, v) -> k LIKE 'order.alias.%', {a})))])"
        ),
        "alias_relations": lambda a, keys, orders: (
            f"arrayFlatten(arrayMap(k -> arrayMap(o -> ('alias', {a}[k], o), "
            f"arrayFilter(o -> o != {a}[k], {orders})), {keys}))"
        ),
    }


MAX_AGE_NS = 400 * 86_400 * 10**9
MAX_AHEAD_NS = 86_400 * 10**9


def _origin_columns(resource: str, resource_url: str, scope: str, scope_url: str) -> str:
    def kv(tuple_: str) -> str:
        return f"mapFromArrays({tuple_}.attributes.key, arrayMap(x -> {_text('x')}, {tuple_}.attributes.value))"

    return (
        f"toDate(fromUnixTimestamp64Nano(toInt64(received_ns), 'UTC')) AS day, "
        f"sipHash64({resource}, {resource_url}, {scope}, {scope_url}) AS origin_id, "
        f"arrayFirst(x -> x.key = 'service.name', {resource}.attributes).value.string_value AS service, "
        f"{kv(resource)} AS resource_attrs, {resource}.attributes.value.value AS resource_kinds, "
        f"{resource}.dropped_attributes_count AS resource_dropped, {resource_url} AS resource_schema_url, "
        f"{scope}.name AS scope_name, {scope}.version AS scope_version, {kv(scope)} AS scope_attrs, "
        f"{scope}.attributes.value.value AS scope_kinds, {scope}.dropped_attributes_count AS scope_dropped, "
        f"{scope_url} AS scope_schema_url"
    )


STAGE_COLUMNS = """order_id,
    toLowCardinality(fact.2['order.flow']) AS flow,
    toLowCardinality(fact.2['order.stage']) AS stage,
    fromUnixTimestamp64Nano(fact.1, 'UTC') AS ts,
    service, trace_id, span_id,
    toLowCardinality(fact.2['order.path']) AS path,
    toLowCardinality(fact.2['order.actor']) AS actor,
    toLowCardinality(if(fact.2['order.outcome'] = 'failed', 'failed', 'ok')) AS outcome,
    multiIf(fact.2['error.message'] != '', fact.2['error.message'],
        fact.2['exception.message'] != '', fact.2['exception.message'],
        fact.3 != 'span_event' AND outer_error != '', outer_error,
        fact.2['error.type']) AS error,
    toInt8(multiIf(fact.2['order.hold'] = 'true', 1, fact.2['order.hold'] = 'false', 0, -1)) AS hold,
    toInt64OrZero(fact.2['order.due_at']) AS due_ns,
    toLowCardinality(if(fact.2['user.id'] != '', fact.2['user.id'], outer_user)) AS user_id,
    mapFilter((k, v) -> k LIKE 'order.alias.%', fact.2) AS aliases,
    mapFilter((k, v) -> fact.3 IN ('log', 'span_event')
        AND NOT match(k, '^(order|error|clew|exception)[.]|^(user[.]id|log[.]record[.]uid)$'), fact.2) AS attrs,
    toLowCardinality(fact.3) AS source,
    received"""

# Why a span failed, from its exception, else from its status; empty when it didn't, or where masking removed the text.
ERROR_TOLD = """if(status != 2 AND error = '', '', arrayMap((of_type, told) -> leftUTF8(multiIf(
        told IN ('', '[removed]'), of_type, of_type = '' OR startsWith(told, of_type), told,
        concat(of_type, ': ', told)), 500),
        [if(error NOT IN ('', 'error'), toString(error),
            arrayFirst(e -> e.name = 'exception', events).attrs['exception.type'])],
        [if(has(events.name, 'exception'),
            arrayFirst(e -> e.name = 'exception', events).attrs['exception.message'], status_message)]
    )[1])"""

RELATION_COLUMNS = """rel.1 AS relation, rel.2 AS ref, rel.3 AS target, min(ts) AS first_ts, max(ts) AS last_ts"""


def retention(layout: Layout) -> dict[str, str]:
    """The time to live of each table that has one, as an expression; empty keeps for ever.

    Open orders lie in the partition 1970-01-01 and are never dropped. Imported history is as old as it is on purpose:
    it is kept until somebody drops it.
    """

    def after(column: str, days: int) -> str:
        return f"toDateTime({column}) + toIntervalDay({days})" if days else ""

    def unless(kept: str, column: str, days: int) -> str:
        return f"if({kept}, toDateTime('2106-01-01 00:00:00'), {after(column, days)})" if days else ""

    return {
        "spans": after("ts", layout.span_days),
        "logs": after("ts", layout.span_days),
        "hops": after("t", layout.span_days),
        "origins": after("day", layout.event_days),
        "order_events": unless("source = 'import'", "ts", layout.event_days),
        "span_minutes": after("minute", layout.figure_days),
        "hop_losses": after("published", layout.event_days),
        "order_touch": "toDateTime(received) + toIntervalDay(2)",
        "trace_orders": after("last_ts", layout.event_days),
        "orders": unless("(bucket = toDate(0)) OR (imported = 1)", "bucket", layout.event_days),
    }


def render_retention(table: str, expression: str, layout: Layout) -> str:
    """The statement that gives an existing table this time to live, or takes it away when empty."""
    change = f"MODIFY TTL {expression}" if expression else "REMOVE TTL"
    return _definition(f"CHANGE_LOCAL {table} {change}", layout)[0]


def _constants(layout: Layout) -> dict[str, str]:
    ttls = {f"ttl_{table}": f"TTL {ttl}" if ttl else "" for table, ttl in retention(layout).items()}
    disk = f", disk = '{layout.disk}'" if layout.disk else ""
    return {
        "text": TEXT,
        "attrs": f"Map({TEXT}, String)",
        "any_kind": ANY_KIND,
        "any_value": ANY_VALUE,
        "key_values": f"Array(Tuple(key String, value {ANY_VALUE}))",
        "last_ns": str(LAST_NS),
        "zero_trace": "0" * 32,
        "zero_span": "0" * 16,
        "rules": layout.rules,
        **ttls,
        "durable": (
            f"ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = {int(layout.fsync_directory)}, "
            f"non_replicated_deduplication_window = 1000{disk}"
        ),
    }


_MACRO = re.compile(r"\$(\w+)\(")


def _expand(text: str, macros: Mapping[str, Callable[..., str]]) -> str:
    while match := _MACRO.search(text):
        depth, start, arguments = 1, match.end(), []
        for at in range(match.end(), len(text)):
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            if depth == 0 or (depth == 1 and text[at] == ","):
                arguments.append(text[start:at].strip())
                start = at + 1
            if depth == 0:
                break
        text = text[: match.start()] + macros[match.group(1)](*arguments) + text[at + 1 :]
    return text


def _source(name: str, layout: Layout) -> list[str]:
    raw = files("clew.store").joinpath("schema", name).read_text(encoding="utf-8")
    text = re.sub(r"--.*", "", raw)
    macros = _macros(layout)
    constants = _constants(layout) | {
        "stage_columns": STAGE_COLUMNS,
        "error_told": ERROR_TOLD,
        "relation_columns": RELATION_COLUMNS,
        "local": "_local" if layout.cluster else "",
        "on": f" ON CLUSTER {literal(layout.cluster)}" if layout.cluster else "",
        "spans_source": layout.spans_source,
    }
    return [Template(_expand(part, macros)).substitute(constants).strip() for part in text.split(";") if part.strip()]


_TABLE = re.compile(r"TABLE (\w+) SHARD BY (.+?)\n(\(.*\n\))\nENGINE (\w+)(\(.*?\))?\n(.*)", re.DOTALL)
_NULL = re.compile(r"NULL TABLE (\w+)\s+(AS\s+)?(.*)", re.DOTALL)
_VIEW = re.compile(r"VIEW (\w+) TO (\w+) AS\s+(.*)", re.DOTALL)


_TWIN = re.compile(r"TWIN (\w+) OF (\w+)")
_CHANGE = re.compile(r"CHANGE(_LOCAL)? (\w+) (.*)", re.DOTALL)


def render_tables(layout: Layout) -> list[str]:
    """CREATE statements of every table that holds data."""
    return render_schema("tables.sql", layout)


def render_schema(name: str, layout: Layout) -> list[str]:
    """The statements of a file of definitions (tables.sql or a migration)."""
    return [statement for part in _source(name, layout) for statement in _definition(part, layout)]


def _definition(part: str, layout: Layout) -> list[str]:
    """TABLE, TWIN or CHANGE: one statement on one node, for a cluster also that of the Distributed table.

    CHANGE_LOCAL leaves the Distributed table alone, which has no data of its own.
    """
    on = f" ON CLUSTER {literal(layout.cluster)}" if layout.cluster else ""
    local = "_local" if layout.cluster else ""
    if match := _TABLE.fullmatch(part):
        return _table(match, layout)
    if match := _TWIN.fullmatch(part):
        return [f"CREATE OR REPLACE TABLE {match.group(1)}{on} AS {match.group(2)}{local}"]
    if match := _CHANGE.fullmatch(part):
        only_local, name, change = match.groups()
        whole = [f"ALTER TABLE {name}{on} {change}"] if layout.cluster and not only_local else []
        return [f"ALTER TABLE {name}{local}{on} {change}", *whole]
    raise ValueError(f"not a definition: {part[:80]}")


def _table(match: re.Match[str], layout: Layout) -> list[str]:
    name, shard, columns, engine, arguments, tail = match.groups()
    inner = (arguments or "()")[1:-1]
    if not layout.cluster:
        return [f"CREATE TABLE IF NOT EXISTS {name}\n{columns}\nENGINE = {engine}({inner})\n{tail}"]
    on = f"ON CLUSTER {literal(layout.cluster)}"
    replica = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'" + (f", {inner}" if inner else "")
    return [
        f"CREATE TABLE IF NOT EXISTS {name}_local {on}\n{columns}\nENGINE = Replicated{engine}({replica})\n"
        + tail.replace("non_replicated_deduplication_window", "replicated_deduplication_window"),
        f"CREATE TABLE IF NOT EXISTS {name} {on} AS {name}_local\n"
        f"ENGINE = Distributed({literal(layout.cluster)}, currentDatabase(), '{name}_local', {shard})",
    ]


def render_intake(layout: Layout) -> list[str]:
    """CREATE statements of the Null tables and views, in the order in which they must be made."""
    on = f" ON CLUSTER {literal(layout.cluster)}" if layout.cluster else ""
    statements = []
    for part in _source("intake.sql", layout):
        if match := _NULL.fullmatch(part):
            name, select, body = match.groups()
            statements.append(
                f"CREATE TABLE {name}{on} ENGINE = Null EMPTY AS {body}"
                if select
                else f"CREATE TABLE {name}{on}\n{body}\nENGINE = Null"
            )
        elif match := _VIEW.fullmatch(part):
            name, target, body = match.groups()
            statements.append(f"CREATE MATERIALIZED VIEW {name}{on} TO {target} AS\n{body}")
        elif _TWIN.fullmatch(part):
            statements += _definition(part, layout)
        else:
            raise ValueError(f"not an intake definition: {part[:80]}")
    return statements


def render_view(layout: Layout, name: str) -> str:
    """The query of a view of the intake."""
    for part in _source("intake.sql", layout):
        if (match := _VIEW.fullmatch(part)) and match.group(1) == name:
            return match.group(3)
    raise KeyError(name)


def render_import(layout: Layout) -> str:
    """The statement that inserts imported stage events from ``{file:String}``; see schema/import.sql."""
    return _source("import.sql", layout)[0]


def render_undo(layout: Layout) -> tuple[str, str, str]:
    """Statements about import ``{id:Int64}``: note its orders, delete its events, forget those orders."""
    note, delete, forget = _source("undo.sql", layout)
    return note, delete, forget


def render_derivation(rules: str) -> str:
    """A query over stored spans since ``{since:Int64}`` that gives the stage events which only rules derive.

    When those spans arrived isn't kept: received is 0, so that a past of which nobody was told is no news now.
    """
    source = (
        "(SELECT *, fromUnixTimestamp64Nano({now:Int64}, 'UTC') AS received FROM spans "
        "WHERE ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC'))"
    )
    view = render_view(Layout(rules=rules, spans_source=source), "derive_stages_of_spans")
    return f"SELECT * REPLACE (toDateTime64(0, 9, 'UTC') AS received) FROM ({view}) WHERE source = 'rule'"


def render_probes(layout: Layout) -> list[str]:
    """Null tables without views, which tell whether one request parses."""
    tables = [part for part in _source("intake.sql", layout) if part.startswith("NULL TABLE otlp_")]
    return [re.sub(r"NULL TABLE (\w+)", r"CREATE TABLE \1_probe", table) + "\nENGINE = Null" for table in tables]
