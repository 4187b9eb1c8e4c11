-- Stages that were entered again. An empty stage sums up the orders.
SELECT stage, sum(n) AS orders, sumIf(n, entries > 1) AS reworked, sum(n * (entries - 1)) AS again,
    sum(n * direct) AS direct, max(entries) AS most
FROM (
    SELECT stages, count() AS n
    FROM (${picked})
    GROUP BY stages
)
ARRAY JOIN
    arrayPushFront(arrayMap(s -> toString(s), arrayDistinct(stages)), '') AS stage,
    arrayPushFront(arrayMap(s -> countEqual(stages, s), arrayDistinct(stages)),
        toUInt64(1 + length(stages) - length(arrayDistinct(stages)))) AS entries,
    arrayPushFront(arrayMap(s -> arrayCount((a, b) -> a = s AND b = s, arrayPopBack(stages), arrayPopFront(stages)),
        arrayDistinct(stages)), 0) AS direct
GROUP BY stage
ORDER BY again DESC, stage
