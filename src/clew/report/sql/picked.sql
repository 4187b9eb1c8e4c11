-- The orders that a report counts: clew.report.filter. Only the columns that a report uses are read.
-- FINAL can't filter before it merges, but whole partitions are left out: an order that started or ended from a moment
-- on lies in no earlier week's bucket.
SELECT
    bucket, order_id, flow_version, path, terminal, imported, stage, entered, last_seen, deviations, accepted, stages,
    arrayMap(x -> toUnixTimestamp64Nano(x), entered_at) AS times,
    toUnixTimestamp64Nano(entered) AS ended_ns
FROM orders FINAL
WHERE flow = {flow:String}
    AND notEmpty(stages)
    AND ({path:String} = '' OR path = {path:String})
    AND ({flow_version:Int64} < 0 OR flow_version = {flow_version:Int64})
    AND (empty({keys:Array(String)})
        OR arrayAll((k, v) -> mapContains(attrs, k) AND attrs[k] = v, {keys:Array(String)}, {values:Array(String)}))
    AND (bucket = toDate(0) OR bucket >= {bucket:Date})
    AND ({by:String} != 'started'
        OR toUnixTimestamp64Nano(entered_at[1]) >= {from:Int64} AND toUnixTimestamp64Nano(entered_at[1]) < {to:Int64})
    AND ({by:String} != 'ended'
        OR terminal != '' AND toUnixTimestamp64Nano(entered) >= {from:Int64}
            AND toUnixTimestamp64Nano(entered) < {to:Int64})
    AND ({by:String} != 'active'
        OR arrayExists(x -> toUnixTimestamp64Nano(x) >= {from:Int64} AND toUnixTimestamp64Nano(x) < {to:Int64},
            entered_at))
