-- Orders that came into a stage and that left it, by day; the two of one visit on the same day cancel out and are left
-- out. What happened before the range goes to the day before it. Nothing is in progress in a terminal stage or after.
SELECT moved.1 AS stage, moved.2 AS day, sum(moved.3) AS change
FROM (
    SELECT arrayFilter(visit -> visit.2 != visit.3, arrayMap((s, a, b) -> (
        toString(s),
        greatest({first:Date}, toDate(fromUnixTimestamp64Nano(a), {zone:String})),
        greatest({first:Date}, if(b < {to:Int64}, toDate(fromUnixTimestamp64Nano(b), {zone:String}), {never:Date}))
    ), entered_stages, begins, ends)) AS visits
    FROM (
        SELECT arraySlice(stages, 1, n) AS entered_stages, arraySlice(times, 1, n) AS begins,
            arraySlice(arrayPushBack(times, {to:Int64}), 2, n) AS ends
        FROM (
            SELECT stages, times, toInt64(if(terminal = '', toInt64(length(stages)),
                toInt64(arrayFirstIndex((s, t) -> s = stage AND t = ended_ns, stages, times)) - 1)) AS known,
                arrayCount((t, i) -> t < {to:Int64} AND i <= known, times, arrayEnumerate(times)) AS n
            FROM (${picked})
        )
    )
)
ARRAY JOIN arrayConcat(
    arrayMap(visit -> (visit.1, visit.2, 1), visits), arrayMap(visit -> (visit.1, visit.3, -1), visits)
) AS moved
WHERE moved.2 != {never:Date}
GROUP BY stage, day
ORDER BY day, stage
