-- Every time that an order went from one stage straight to another, the slowest first.
SELECT order_id, toString(path) AS path, toString(terminal) AS terminal, greatest(0, times[i + 1] - times[i]) AS dwell,
    times[i + 1] AS at, count() OVER () AS everything, sum(first) OVER () AS orders
FROM (
    SELECT order_id, path, terminal, times,
        arrayFilter((i, s) -> s = {before:String} AND stages[i + 1] = {after:String}, arrayEnumerate(stages), stages)
            AS places
    FROM (${picked})
    WHERE has(stages, {before:String}) AND has(stages, {after:String})
)
ARRAY JOIN places AS i, arrayMap(n -> n = 1, arrayEnumerate(places)) AS first
ORDER BY dwell DESC, order_id, at
LIMIT {limit:UInt32}
