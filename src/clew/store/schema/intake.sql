-- The way in. An export request is one row of a Null table shaped like its protobuf; views explode it and fill the
-- tables. Nothing here holds data, so all of it is dropped and made anew when the flow or the masking changes.
--
-- An explode view meets only what it can store: a wrong id or a time out of range raises 'clew:reject', which stops the
-- whole insert before anything is written; clew.store.sanitize then takes such items out and counts them.
-- concat(id, '') is an id with all its bytes: toString() of a FixedString drops zero bytes at its end.
-- $text_map(x) is a masked Map of attribute texts, $kinds(x) their AnyValue kinds.

NULL TABLE otlp_traces
(
    resource_spans Array(Tuple(
        resource Tuple(attributes ${key_values}, dropped_attributes_count UInt32),
        scope_spans Array(Tuple(
            scope Tuple(name String, version String, attributes ${key_values}, dropped_attributes_count UInt32),
            spans Array(Tuple(
                trace_id String, span_id String, trace_state String, parent_span_id String, name String, kind Int32,
                start_time_unix_nano UInt64, end_time_unix_nano UInt64,
                attributes ${key_values}, dropped_attributes_count UInt32,
                events Array(Tuple(time_unix_nano UInt64, name String, attributes ${key_values}, dropped_attributes_count UInt32)),
                dropped_events_count UInt32,
                links Array(Tuple(trace_id String, span_id String, trace_state String, attributes ${key_values}, dropped_attributes_count UInt32, flags UInt32)),
                dropped_links_count UInt32,
                status Tuple(message String, code Int32),
                flags UInt32)),
            schema_url String)),
        schema_url String)),
    received_ns UInt64
);

NULL TABLE otlp_logs
(
    resource_logs Array(Tuple(
        resource Tuple(attributes ${key_values}, dropped_attributes_count UInt32),
        scope_logs Array(Tuple(
            scope Tuple(name String, version String, attributes ${key_values}, dropped_attributes_count UInt32),
            log_records Array(Tuple(
                time_unix_nano UInt64, observed_time_unix_nano UInt64, severity_number Int32, severity_text String,
                body ${any_value}, attributes ${key_values}, dropped_attributes_count UInt32, flags UInt32,
                trace_id String, span_id String, event_name String)),
            schema_url String)),
        schema_url String)),
    received_ns UInt64
);

-- Where the open orders are copied without tombstones before the copy takes their partition's place: an empty table of
-- the same shape on each node.
TWIN orders_swap OF orders;

NULL TABLE spans_in AS
SELECT *, toDateTime64(0, 9, 'UTC') AS received, CAST([], 'Array(${text})') AS alias_keys FROM spans${local};

NULL TABLE logs_in AS
SELECT *, toDateTime64(0, 9, 'UTC') AS received, CAST([], 'Array(${text})') AS alias_keys FROM logs${local};

VIEW explode_spans TO spans_in AS
SELECT
    toFixedString(sp.trace_id, 16) AS trace_id,
    toFixedString(sp.span_id, 8) AS span_id,
    toFixedString(if(length(sp.parent_span_id) = 8, sp.parent_span_id, ''), 8) AS parent_span_id,
    svc AS service,
    toLowCardinality(sp.name) AS name,
    toInt8(if(sp.kind BETWEEN 0 AND 127, sp.kind, 0)) AS kind,
    toInt8(sp.status.code) AS status,
    sp.status.message AS status_message,
    fromUnixTimestamp64Nano(toInt64($moment(sp.start_time_unix_nano, sp.end_time_unix_nano, received_ns)), 'UTC') AS ts,
    if(sp.end_time_unix_nano > sp.start_time_unix_nano AND sp.start_time_unix_nano > 0, sp.end_time_unix_nano - sp.start_time_unix_nano, 0) AS duration_ns,
    sp.trace_state AS trace_state,
    sp.flags + throwIf(length(sp.trace_id) != 16 OR length(sp.span_id) != 8 OR sp.trace_id = unhex('${zero_trace}') OR sp.span_id = unhex('${zero_span}')
        OR NOT $in_range($moment(sp.start_time_unix_nano, sp.end_time_unix_nano, received_ns)), 'clew:reject') AS flags,
    origin AS origin_id,
    scope_name AS scope,
    $text_map(sp.attributes) AS attrs,
    $kinds(sp.attributes) AS kinds,
    arrayMap(e -> (e.time_unix_nano, toLowCardinality(e.name), $text_map(e.attributes), $kinds(e.attributes), e.dropped_attributes_count), sp.events) AS events,
    arrayMap(l -> (l.trace_id, l.span_id, l.trace_state, $text_map(l.attributes), $kinds(l.attributes), l.dropped_attributes_count, l.flags), sp.links) AS links,
    sp.dropped_attributes_count AS dropped_attributes,
    sp.dropped_events_count AS dropped_events,
    sp.dropped_links_count AS dropped_links,
    arrayFilter(k -> startsWith(k, 'order.alias.'), mapKeys(attrs)) AS alias_keys,
    $order_ids(attrs) AS order_ids,
    attrs['user.id'] AS user_id,
    multiIf(attrs['error.type'] != '', attrs['error.type'], status = 2, 'error', '') AS error,
    toUInt16OrZero(attrs['retry.count']) AS retry_count,
    attrs['timeout'] = 'true' AS timeout,
    fromUnixTimestamp64Nano(toInt64(received_ns), 'UTC') AS received
FROM
(
    SELECT arrayJoin(ss.spans) AS sp, svc, toLowCardinality(ss.scope.name) AS scope_name, origin, received_ns
    FROM
    (
        SELECT arrayJoin(rs.scope_spans) AS ss, toLowCardinality($service(rs.resource)) AS svc, $origin(rs, ss) AS origin, received_ns
        FROM (SELECT arrayJoin(resource_spans) AS rs, received_ns FROM otlp_traces)
    )
);

VIEW explode_logs TO logs_in AS
SELECT
    fromUnixTimestamp64Nano(toInt64($moment(lr.time_unix_nano, lr.observed_time_unix_nano, received_ns)), 'UTC') AS ts,
    fromUnixTimestamp64Nano(toInt64($moment(lr.observed_time_unix_nano, received_ns, received_ns)), 'UTC') AS observed,
    toFixedString(if(length(lr.trace_id) = 16, lr.trace_id, ''), 16) AS trace_id,
    toFixedString(if(length(lr.span_id) = 8, lr.span_id, ''), 8) AS span_id,
    svc AS service,
    toUInt8(lr.severity_number) AS severity_number,
    toLowCardinality(lr.severity_text) AS severity_text,
    toLowCardinality(lr.event_name) AS event_name,
    $text(lr.body) AS body,
    lr.body.value AS body_kind,
    origin AS origin_id,
    scope_name AS scope,
    $text_map(lr.attributes) AS attrs,
    $kinds(lr.attributes) AS kinds,
    lr.dropped_attributes_count AS dropped_attributes,
    lr.flags + throwIf(NOT $in_range($moment(lr.time_unix_nano, lr.observed_time_unix_nano, received_ns)), 'clew:reject') AS flags,
    arrayFilter(k -> startsWith(k, 'order.alias.'), mapKeys(attrs)) AS alias_keys,
    $order_ids(attrs) AS order_ids,
    attrs['log.record.uid'] AS uid,
    fromUnixTimestamp64Nano(toInt64(received_ns), 'UTC') AS received
FROM
(
    SELECT arrayJoin(ss.log_records) AS lr, svc, toLowCardinality(ss.scope.name) AS scope_name, origin, received_ns
    FROM
    (
        SELECT arrayJoin(rs.scope_logs) AS ss, toLowCardinality($service(rs.resource)) AS svc, $origin(rs, ss) AS origin, received_ns
        FROM (SELECT arrayJoin(resource_logs) AS rs, received_ns FROM otlp_logs)
    )
);

VIEW fill_spans TO spans AS
SELECT * EXCEPT (received, alias_keys) FROM spans_in;

VIEW fill_logs TO logs AS
SELECT * EXCEPT (received, alias_keys) FROM logs_in;

VIEW fill_origins_of_spans TO origins AS
SELECT DISTINCT $origin_columns(resource, resource_url, s.1, s.2)
FROM
(
    SELECT r.1 AS resource, r.2 AS resource_url, arrayJoin(arrayZip(r.3, r.4)) AS s, received_ns
    FROM
    (
        SELECT arrayJoin(arrayZip(resource_spans.resource, resource_spans.schema_url, resource_spans.scope_spans.scope, resource_spans.scope_spans.schema_url)) AS r, received_ns
        FROM otlp_traces
    )
);

VIEW fill_origins_of_logs TO origins AS
SELECT DISTINCT $origin_columns(resource, resource_url, s.1, s.2)
FROM
(
    SELECT r.1 AS resource, r.2 AS resource_url, arrayJoin(arrayZip(r.3, r.4)) AS s, received_ns
    FROM
    (
        SELECT arrayJoin(arrayZip(resource_logs.resource, resource_logs.schema_url, resource_logs.scope_logs.scope, resource_logs.scope_logs.schema_url)) AS r, received_ns
        FROM otlp_logs
    )
);

-- A span states a stage by an event named order.stage, by its attribute order.stage (at its start), or by a rule of the flow.
-- Why an attempt failed is told by its exception, else by its status; cut, and left out where masking removed it.
VIEW derive_stages_of_spans TO order_events AS
SELECT ${stage_columns}
FROM
(
    SELECT trace_id, span_id, service, received, order_ids AS outer_ids, user_id AS outer_user, ${error_told} AS outer_error, arrayJoin(arrayConcat(
        if(mapContains(attrs, 'order.stage'), [(toInt64(toUnixTimestamp64Nano(ts)), attrs, 'span')], []),
        arrayMap(e -> (toInt64($moment(e.ts, toUInt64(toUnixTimestamp64Nano(ts)), 0)), e.attrs, 'span_event'), arrayFilter(e -> e.name = 'order.stage', events)),
        arrayMap(r -> (toInt64(toUnixTimestamp64Nano(ts)), CAST(map('order.flow', r.1, 'order.stage', r.2, 'order.id', r.3, 'order.outcome', r.4, 'order.path', r.5, 'error.type', error), 'Map(LowCardinality(String), String)'), 'rule'), ${rules})
    )) AS fact
    FROM ${spans_source}
    WHERE mapContains(attrs, 'order.stage') OR has(events.name, 'order.stage') OR notEmpty(${rules})
)
ARRAY JOIN $fact_orders(fact.2, outer_ids) AS order_id
WHERE order_id != '' AND $in_span_of_time(fact.1, received);

VIEW derive_stages_of_logs TO order_events AS
SELECT ${stage_columns}
FROM
(
    SELECT trace_id, span_id, service, received, order_ids AS outer_ids, attrs['user.id'] AS outer_user, '' AS outer_error, (toInt64(toUnixTimestamp64Nano(ts)), attrs, 'log') AS fact
    FROM logs_in WHERE event_name = 'order.stage'
)
ARRAY JOIN $fact_orders(fact.2, outer_ids) AS order_id
WHERE order_id != '' AND $in_span_of_time(fact.1, received);

-- Journeys of imported history are rebuilt by the import itself.
VIEW touch_orders TO order_touch AS
SELECT received, order_id, min(e.ts) AS ts FROM order_events${local} AS e WHERE source != 'import' GROUP BY received, order_id;

-- A stage event names its order's trace, also where a rule took the order from a URL and no attribute names it.
VIEW relate_stages TO trace_orders AS
SELECT 'order' AS relation, order_id AS ref, concat(trace_id, '') AS target, min(ts) AS first_ts, max(ts) AS last_ts
FROM order_events${local}
WHERE trace_id != toFixedString('', 16)
GROUP BY relation, ref, target;

-- An alias may be told by any span or log; stamped ahead like all touches that Clew makes itself.
VIEW touch_glued_orders TO order_touch AS
SELECT now64(9, 'UTC') + toIntervalSecond(10) AS received, edge.target AS order_id, min(edge.first_ts) AS ts
FROM trace_orders${local} AS edge WHERE relation = 'alias' GROUP BY order_id;

VIEW relate_spans TO trace_orders AS
SELECT ${relation_columns}
FROM (SELECT trace_id, ts, attrs, alias_keys, order_ids, links FROM spans_in WHERE notEmpty(order_ids) OR notEmpty(links) OR notEmpty(alias_keys))
ARRAY JOIN arrayConcat(
    arrayMap(o -> ('order', o, concat(trace_id, '')), order_ids),
    arrayMap(l -> ('link', l.trace_id, concat(trace_id, '')), arrayFilter(l -> length(l.trace_id) = 16 AND l.trace_id != concat(trace_id, ''), links)),
    arrayMap(l -> ('link', concat(trace_id, ''), l.trace_id), arrayFilter(l -> length(l.trace_id) = 16 AND l.trace_id != concat(trace_id, ''), links)),
    $alias_relations(attrs, alias_keys, order_ids)) AS rel
GROUP BY relation, ref, target;

VIEW relate_logs TO trace_orders AS
SELECT ${relation_columns}
FROM logs_in
ARRAY JOIN arrayConcat(
    if(trace_id = toFixedString('', 16), [], arrayMap(o -> ('order', o, concat(trace_id, '')), order_ids)),
    $alias_relations(attrs, alias_keys, order_ids)) AS rel
GROUP BY relation, ref, target;

-- Both ends of messages. What clew-sdk says in attributes of its own is read from others' words where they have any:
-- Node's amqplib instrumentation tells a settlement in the status, and ends a span after a minute of work as an error;
-- pika's tells an unroutable message by an exception.
VIEW pair_hops TO hops AS
WITH startsWith(scope, '@opentelemetry/instrumentation-amqplib') AND kind = 5 AS by_node,
    multiIf(attrs['messaging.destination.name'] != '', attrs['messaging.destination.name'], attrs['messaging.destination']) AS named
SELECT
    hop.1 AS side,
    toDateTime(if(side = 'sent', end_ts, ts), 'UTC') AS t,
    toFixedString(hop.2, 16) AS origin_trace_id,
    toFixedString(hop.3, 8) AS origin_span_id,
    trace_id, span_id, parent_span_id, ts,
    fromUnixTimestamp64Nano(toUnixTimestamp64Nano(ts) + toInt64(duration_ns), 'UTC') AS end_ts,
    service, scope,
    toLowCardinality(if(named != '', named, attrs['messaging.rabbitmq.routing_key'])) AS destination,
    toLowCardinality(attrs['clew.message.queue']) AS queue,
    order_ids,
    toLowCardinality(multiIf(
        by_node AND startsWith(status_message, 'instrumentation timeout'), '',
        spans_in.error != 'error', toString(spans_in.error),
        arrayFirst(e -> e.name = 'exception', events).attrs['exception.type'] != '', arrayFirst(e -> e.name = 'exception', events).attrs['exception.type'],
        by_node AND status_message != '', status_message,
        'error')) AS error,
    toLowCardinality(multiIf(
        attrs['clew.message.settlement'] != '', attrs['clew.message.settlement'],
        NOT by_node OR status != 2 OR startsWith(status_message, 'instrumentation timeout'), '',
        endsWith(status_message, ' without requeue'), 'reject',
        endsWith(status_message, ' with requeue') OR endsWith(status_message, ' called on message'), 'requeue',
        status_message IN ('channel closed', 'channel error'), 'none', '')) AS settlement,
    attrs['clew.message.redelivered'] = 'true' AS redelivered,
    toLowCardinality(attrs['clew.message.death.reason']) AS death_reason,
    toLowCardinality(attrs['clew.message.death.queue']) AS death_queue,
    received
FROM (SELECT * EXCEPT (kinds) FROM spans_in WHERE kind IN (4, 5)) AS spans_in
ARRAY JOIN if(kind = 4, [('sent', concat(trace_id, ''), concat(span_id, ''))],
    arrayDistinct(arrayConcat([('taken', concat(trace_id, ''), concat(parent_span_id, ''))], arrayMap(l -> ('taken', l.trace_id, l.span_id), arrayFilter(l -> length(l.trace_id) = 16 AND length(l.span_id) = 8, links))))) AS hop
WHERE hop.3 != unhex('${zero_span}');
