-- How long orders that closed lately still took from each entry into a stage, by flow, path and stage, and by flow and
-- stage. Cancelled ones would make the way to the customer look short.
SELECT
    flow, group_path AS path, visit.1 AS stage, count() AS n,
    quantilesExactInclusive(0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
        0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1)(greatest(toInt64(0), ended_ns - visit.2)) AS quantiles
FROM
(
    SELECT
        flow, path, toUnixTimestamp64Nano(entered) AS ended_ns,
        CAST(stages, 'Array(String)') AS names,
        arraySlice(arrayZip(names, arrayMap(x -> toUnixTimestamp64Nano(x), entered_at)), 1,
            indexOf(names, toString(stage)) - 1) AS visits
    FROM orders FINAL
    WHERE bucket >= toMonday(toDate(fromUnixTimestamp64Nano({since:Int64}, 'UTC'))) AND terminal = 'closed'
        AND entered >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
        AND ({flow:String} = '' OR flow = {flow:String})
        AND cityHash64(order_id) % {every:UInt32} = 0
)
ARRAY JOIN visits AS visit
ARRAY JOIN arrayDistinct([toString(path), '']) AS group_path
GROUP BY flow, path, stage
