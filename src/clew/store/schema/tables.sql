-- Every table that holds data. Rendered for one node or a cluster by clew.store.render.
--
-- TABLE name SHARD BY expression opens a table; its columns follow in parentheses, then ENGINE with its family and the
-- rest of the definition. ${...} are the closed set of placeholders of clew.store.render.

-- Spans as they came: every attribute, event and link, plus the columns people search by.
-- Sorted by (five minutes, trace) so that a trace lies together and compresses well: 39 B a span against 51
-- by (service, name, time). Parts keep all columns in one file up to 256 MiB, and more of them are merged at once: both
-- save some us a span. Skip indexes are made by merges; the few fresh parts are read without.
TABLE spans SHARD BY cityHash64(trace_id)
(
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(NONE),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    service ${text},
    name ${text},
    kind Int8,
    status Int8,
    status_message String CODEC(ZSTD(1)),
    ts DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    duration_ns UInt64 CODEC(T64, ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    origin_id UInt64 CODEC(ZSTD(1)),
    scope ${text},
    attrs ${attrs} CODEC(ZSTD(1)),
    kinds Array(${any_kind}) CODEC(ZSTD(1)),
    events Array(Tuple(ts UInt64, name ${text}, attrs ${attrs}, kinds Array(${any_kind}), dropped UInt32)) CODEC(ZSTD(1)),
    links Array(Tuple(trace_id String, span_id String, trace_state String, attrs ${attrs}, kinds Array(${any_kind}), dropped UInt32, flags UInt32)) CODEC(ZSTD(1)),
    dropped_attributes UInt32 CODEC(ZSTD(1)),
    dropped_events UInt32 CODEC(ZSTD(1)),
    dropped_links UInt32 CODEC(ZSTD(1)),
    order_ids Array(String) CODEC(ZSTD(1)),
    user_id ${text},
    error ${text},
    retry_count UInt16 CODEC(ZSTD(1)),
    timeout Bool CODEC(ZSTD(1)),
    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_order order_ids TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_value mapValues(attrs) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE MergeTree
PARTITION BY toDate(ts)
ORDER BY (toStartOfFiveMinutes(ts), trace_id)
${ttl_spans}
SETTINGS min_bytes_for_wide_part = 268435456, merge_selector_base = 16, ${durable};

-- Log records; those with a name are OpenTelemetry Events.
TABLE logs SHARD BY cityHash64(trace_id)
(
    ts DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    observed DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(ZSTD(1)),
    service ${text},
    severity_number UInt8,
    severity_text ${text},
    event_name ${text},
    body String CODEC(ZSTD(1)),
    body_kind ${any_kind},
    origin_id UInt64 CODEC(ZSTD(1)),
    scope ${text},
    attrs ${attrs} CODEC(ZSTD(1)),
    kinds Array(${any_kind}) CODEC(ZSTD(1)),
    dropped_attributes UInt32 CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    order_ids Array(String) CODEC(ZSTD(1)),
    uid String CODEC(ZSTD(1)),
    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_order order_ids TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE MergeTree
PARTITION BY toDate(ts)
ORDER BY (service, toStartOfFiveMinutes(ts), trace_id)
${ttl_logs}
SETTINGS min_bytes_for_wide_part = 268435456, merge_selector_base = 16, ${durable};

-- Where spans and logs come from: resource and scope with their attributes, once per origin and day.
TABLE origins SHARD BY origin_id
(
    day Date,
    origin_id UInt64,
    service ${text},
    resource_attrs ${attrs},
    resource_kinds Array(${any_kind}),
    resource_dropped UInt32,
    resource_schema_url ${text},
    scope_name ${text},
    scope_version ${text},
    scope_attrs ${attrs},
    scope_kinds Array(${any_kind}),
    scope_dropped UInt32,
    scope_schema_url ${text}
)
ENGINE ReplacingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (origin_id, day)
${ttl_origins}
SETTINGS ${durable};

-- Stage events: the facts from which journeys are rebuilt. Never sampled, kept long.
TABLE order_events SHARD BY cityHash64(order_id)
(
    order_id String CODEC(ZSTD(1)),
    flow ${text},
    stage ${text},
    ts DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    service ${text},
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(NONE),
    path ${text},
    actor ${text},
    outcome ${text},
    error String CODEC(ZSTD(1)),
    hold Int8,
    due_ns Int64 CODEC(ZSTD(1)),
    user_id ${text},
    aliases Map(${text}, String) CODEC(ZSTD(1)),
    attrs ${attrs} CODEC(ZSTD(1)),
    source ${text},
    received DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX by_order order_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (order_id, ts, stage, span_id, hold, outcome, source)
${ttl_order_events}
SETTINGS index_granularity = 1024, ${durable};

-- Which orders were touched, by arrival: what the ticker reads.
TABLE order_touch SHARD BY cityHash64(order_id)
(
    received DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    order_id String CODEC(ZSTD(1)),
    ts DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE MergeTree
PARTITION BY toStartOfHour(received)
ORDER BY received
${ttl_order_touch}
SETTINGS ${durable};

-- One row an order: the journey as last rebuilt. Open orders lie in the bucket 1970-01-01, ended ones in the
-- week of their end; the ticker writes a tombstone (gone = 1) into a bucket that an order leaves. The version grows
-- with knowledge, so a row written twice or late changes nothing. An order of which only imports tell is never open:
-- it lies in the week of its last event. stages and entered_at are the visits that reports count. told is when the end
-- arrived first, however long ago it happened.
TABLE orders SHARD BY cityHash64(order_id)
(
    bucket Date,
    order_id String CODEC(ZSTD(1)),
    version UInt64,
    gone UInt8,
    flow ${text},
    flow_version UInt32,
    path ${text},
    stage ${text},
    entered DateTime64(9, 'UTC'),
    first_seen DateTime64(9, 'UTC'),
    last_seen DateTime64(9, 'UTC'),
    told DateTime64(9, 'UTC'),
    terminal ${text},
    on_hold UInt8,
    hold_since DateTime64(9, 'UTC'),
    lost ${text},
    lost_since DateTime64(9, 'UTC'),
    lost_from DateTime64(9, 'UTC'),
    failed UInt8,
    failed_at DateTime64(9, 'UTC'),
    warn_at DateTime64(9, 'UTC'),
    deadline_at DateTime64(9, 'UTC'),
    due_at DateTime64(9, 'UTC'),
    user_id String CODEC(ZSTD(1)),
    alias_values Array(String) CODEC(ZSTD(1)),
    errors UInt32,
    deviations Array(${text}),
    accepted Array(${text}),
    attrs ${attrs} CODEC(ZSTD(1)),
    imported UInt8,
    stages Array(${text}),
    entered_at Array(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)),
    traces Array(FixedString(16)) CODEC(ZSTD(1)),
    journey String CODEC(ZSTD(3)),
    INDEX by_order order_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_alias alias_values TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE ReplacingMergeTree(version, gone)
PARTITION BY bucket
ORDER BY order_id
${ttl_orders}
SETTINGS index_granularity = 1024, ${durable};

-- What belongs to what, in both directions: order to trace, trace to linked trace, alias to order.
TABLE trace_orders SHARD BY cityHash64(ref)
(
    relation Enum8('order' = 1, 'link' = 2, 'alias' = 3),
    ref String CODEC(ZSTD(1)),
    target String CODEC(ZSTD(1)),
    first_ts SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    last_ts SimpleAggregateFunction(max, DateTime64(9, 'UTC')),
    INDEX by_target target TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE AggregatingMergeTree
PARTITION BY toYYYYMM(first_ts)
ORDER BY (ref, relation, target)
${ttl_trace_orders}
SETTINGS index_granularity = 1024, ${durable};

-- Both ends of every message. A sent row is a PRODUCER span (its origin is itself); a taken row is a CONSUMER span
-- and one of the producers it names as parent or link.
TABLE hops SHARD BY cityHash64(origin_trace_id)
(
    side Enum8('sent' = 1, 'taken' = 2),
    t DateTime('UTC') CODEC(Delta, ZSTD(1)),
    origin_trace_id FixedString(16) CODEC(ZSTD(1)),
    origin_span_id FixedString(8) CODEC(ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(ZSTD(1)),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    ts DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    end_ts DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    service ${text},
    scope ${text},
    destination ${text},
    queue ${text},
    order_ids Array(String) CODEC(ZSTD(1)),
    error ${text},
    settlement ${text},
    redelivered Bool,
    death_reason ${text},
    death_queue ${text},
    received DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX by_received received TYPE minmax GRANULARITY 1,
    INDEX by_origin origin_trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_order order_ids TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE ReplacingMergeTree
PARTITION BY toDate(t)
ORDER BY (side, t, origin_trace_id, origin_span_id, span_id)
${ttl_hops}
SETTINGS index_granularity = 1024, ${durable};

-- What the loss detector says of a message; a later row with a higher version takes it back. said_lost is when it was
-- first said to be lost, also where it was found later.
TABLE hop_losses SHARD BY cityHash64(trace_id)
(
    trace_id FixedString(16),
    span_id FixedString(8),
    version UInt64,
    state ${text},
    reason ${text},
    order_ids Array(String),
    destination ${text},
    queue ${text},
    service ${text},
    published DateTime64(9, 'UTC'),
    detail String,
    said_lost DateTime64(9, 'UTC'),
    INDEX by_order order_ids TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE ReplacingMergeTree(version)
PARTITION BY toYYYYMM(published)
ORDER BY (trace_id, span_id)
${ttl_hop_losses}
SETTINGS index_granularity = 1024, ${durable};

-- Every flow that was ever applied; the revision counts them, whatever version the file itself states.
TABLE flows SHARD BY cityHash64(name)
(
    name String,
    revision UInt32,
    version UInt32,
    applied DateTime64(9, 'UTC'),
    text String
)
ENGINE ReplacingMergeTree(applied)
ORDER BY (name, revision)
SETTINGS ${durable};

-- Small durable marks of the process: the ticker's and the loss detector's watermarks.
TABLE marks SHARD BY cityHash64(name)
(
    name String,
    value Int64,
    written DateTime64(9, 'UTC')
)
ENGINE ReplacingMergeTree(written)
ORDER BY name
SETTINGS ${durable};

-- What was imported as history, and how far its journeys are rebuilt. import_id is the moment all its events say they
-- were received. undo: 1 while its events are taken back, 2 while journeys are rebuilt without them, 3 afterwards.
TABLE imports SHARD BY cityHash64(import_id)
(
    import_id Int64,
    name String,
    flow ${text},
    events UInt64,
    orders UInt64,
    rebuilt UInt64,
    position String,
    generation UInt32,
    done UInt8,
    undo UInt8,
    written DateTime64(9, 'UTC')
)
ENGINE ReplacingMergeTree(written)
ORDER BY import_id
SETTINGS ${durable};

-- The orders that an import told of which is being taken back: their journeys are rebuilt when its events are gone.
TABLE undone_orders SHARD BY cityHash64(order_id)
(
    import_id Int64,
    order_id String CODEC(ZSTD(1))
)
ENGINE ReplacingMergeTree
PARTITION BY import_id
ORDER BY order_id
SETTINGS ${durable};

-- Saved views of the list of orders: a name, and the query string that it stands for; gone = 1 forgets it.
TABLE views SHARD BY cityHash64(name)
(
    name String,
    filter String,
    gone UInt8,
    written DateTime64(9, 'UTC')
)
ENGINE ReplacingMergeTree(written)
ORDER BY name
SETTINGS ${durable};

-- What ran, minute by minute, rolled up from spans: the base of key figures over weeks. work says what the spans did,
-- buckets and counts how long they lasted; see clew.store.minutes. received counts repeated spans, too: the row that
-- has seen more spans counts.
TABLE span_minutes SHARD BY cityHash64(service)
(
    minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
    service ${text},
    work ${text},
    spans UInt64 CODEC(ZSTD(1)),
    errors UInt64 CODEC(ZSTD(1)),
    http_5xx UInt64 CODEC(ZSTD(1)),
    http_500 UInt64 CODEC(ZSTD(1)),
    retries UInt64 CODEC(ZSTD(1)),
    timeouts UInt64 CODEC(ZSTD(1)),
    duration_ns UInt64 CODEC(ZSTD(1)),
    buckets Array(UInt16) CODEC(ZSTD(1)),
    counts Array(UInt32) CODEC(ZSTD(1)),
    received UInt64 CODEC(ZSTD(1))
)
ENGINE ReplacingMergeTree(received)
PARTITION BY toDate(minute)
ORDER BY (minute, service, work)
${ttl_span_minutes}
SETTINGS ${durable};
