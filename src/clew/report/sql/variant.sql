-- Where one variant stands among all: how many orders take it, and how many variants are taken by more.
SELECT sum(orders) AS all_orders, count() AS all_variants, sumIf(orders, same) AS own_orders,
    sumIf(median, same) AS own_median, arrayCount(x -> x > own_orders, groupArray(orders)) AS commoner
FROM (
    SELECT stages = {stages:Array(String)} AS same, count() AS orders,
        quantileExactInclusive(0.5)(greatest(0, times[-1] - times[1])) AS median
    FROM (${picked})
    GROUP BY stages
)
