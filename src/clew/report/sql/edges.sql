-- Directly-follows edges with the time between the two visits. Skewed clocks may turn two visits round: never below 0.
-- Stages go by their number in names, which takes a third of the time that their names would take.
SELECT {names:Array(String)}[before] AS before_stage, {names:Array(String)}[after] AS after_stage, count() AS visits,
    quantilesExactInclusive(0.5, 0.9, 0.95)(dwell) AS quantiles, avg(toFloat64(dwell)) AS mean
FROM (
    SELECT arrayPopBack(numbers) AS befores, arrayPopFront(numbers) AS afters,
        arrayMap((x, y) -> greatest(0, y - x), arrayPopBack(times), arrayPopFront(times)) AS dwells
    FROM (
        SELECT times, arrayMap(stage -> transform(stage, {names:Array(String)}, {numbers:Array(UInt32)}, toUInt32(0)),
            stages) AS numbers
        FROM (${picked})
    )
)
ARRAY JOIN befores AS before, afters AS after, dwells AS dwell
GROUP BY before, after
ORDER BY visits DESC, before_stage, after_stage
