-- Of the orders of each path that came further than a stage, how many have been in it.
SELECT path, stage, sum(n) AS further, sumIf(n, has(stages, stage)) AS inside
FROM (
    SELECT toString(path) AS path, stages, count() AS n
    FROM (${picked})
    GROUP BY path, stages
)
ARRAY JOIN {optional:Array(String)} AS stage, {later:Array(Array(String))} AS after
WHERE hasAny(stages, after)
GROUP BY path, stage
