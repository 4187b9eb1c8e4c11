-- What limits would have said of every visit: by stage and the path whose limit counts (* for any).
-- A visit is stuck when it lasts longer than its limit; an order that waits, as soon as it has reached it, as the
-- verdict has it. The moment is the end less what was too much: exact unless a hold began after it.
SELECT
    stage, limit_path, limit_ns, count() AS visits, countIf(late) AS stuck, countIf(late AND NOT over) AS waiting,
    countIf(NOT late AND dwell_ns > warn_ns) AS warned,
    countIf(late AND over AND late_ns <= {grace:Int64} + limit_ns * {grace_share:Float64}) AS passing,
    if(stuck > waiting, quantilesExactInclusiveIf(0.5, 0.9)(late_ns, late AND over), []) AS moved_after,
    minIf(left_ns - late_ns, late) AS first_ns,
    maxIf(left_ns - late_ns, late) AS last_ns,
    sumMapIf(map(toString(toDate(fromUnixTimestamp64Nano(left_ns - late_ns, 'UTC'))), toUInt64(1)), late) AS days
FROM
(
    SELECT
        stage, dwell_ns, left_ns, over,
        concat(stage, '\n', path) AS own,
        if(has({own_keys:Array(String)}, own), path, '*') AS limit_path,
        if(limit_path = '*', transform(stage, {any_keys:Array(String)}, {any_limits:Array(Int64)}, toInt64(-1)),
            transform(own, {own_keys:Array(String)}, {own_limits:Array(Int64)}, toInt64(-1))) AS limit_ns,
        if(limit_path = '*', transform(stage, {any_keys:Array(String)}, {any_warnings:Array(Int64)}, toInt64(-1)),
            transform(own, {own_keys:Array(String)}, {own_warnings:Array(Int64)}, toInt64(-1))) AS warn_ns,
        dwell_ns - limit_ns AS late_ns,
        if(over, late_ns > 0, late_ns >= 0) AS late
    FROM (${dwells})
)
WHERE limit_ns > 0
GROUP BY stage, limit_path, limit_ns
