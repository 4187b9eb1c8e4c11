-- Variants by how many orders take them. What all of them hold together is counted before the cut.
SELECT stages, orders, closed, waiting, median, sum(orders) OVER () AS all_orders, count() OVER () AS all_variants
FROM (
    SELECT stages, count() AS orders, countIf(terminal = 'closed') AS closed, countIf(terminal = '') AS waiting,
        quantileExactInclusive(0.5)(greatest(0, times[-1] - times[1])) AS median
    FROM (${picked})
    GROUP BY stages
)
ORDER BY orders DESC, stages
LIMIT {limit:UInt32}
