-- Stage events of imported history, from a file of JSON arrays. Bound: file, flow and received_ns.
INSERT INTO order_events
    (order_id, flow, stage, ts, service, path, actor, outcome, hold, due_ns, user_id, attrs, source, received)
SELECT
    order_id, {flow:String},
    concat(stage, if(throwIf(order_id = '' OR stage = '' OR NOT at_ns BETWEEN 1 AND ${last_ns}
        OR NOT due_ns BETWEEN 0 AND ${last_ns} OR arrayMax(length, [order_id, stage, path, service, actor, user_id]) > 1000, 'clew:reject'), '', '')),
    fromUnixTimestamp64Nano(at_ns, 'UTC'), service, path, actor, 'ok', -1, due_ns,
    if(user_id = '', '', $masked_text('user.id', user_id)), $masked_map(attrs), 'import', fromUnixTimestamp64Nano({received_ns:Int64}, 'UTC')
FROM file({file:String}, 'JSONCompactEachRow', 'order_id String, stage String, at_ns Int64, path String, service String,
    actor String, user_id String, due_ns Int64, attrs Map(String, String)')
SETTINGS max_partitions_per_insert_block = 0, input_format_parallel_parsing = 0,
    insert_deduplication_token = {token:String}
