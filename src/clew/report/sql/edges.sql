-- Directly-follows edges with the time between the two visits. Skewed clocks may turn two visits round: never below 0.
SELECT before, after, count() AS visits, quantilesExactInclusive(0.5, 0.9, 0.95)(dwell) AS quantiles,
    avg(toFloat64(dwell)) AS mean
FROM (
    SELECT arrayPopBack(stages) AS befores, arrayPopFront(stages) AS afters,
        arrayMap((x, y) -> greatest(0, y - x), arrayPopBack(times), arrayPopFront(times)) AS dwells
    FROM (${picked})
)
ARRAY JOIN befores AS before, afters AS after, dwells AS dwell
GROUP BY before, after
ORDER BY visits DESC, before, after
