-- First milestone to the end, by path and kind of end; the rows without them sum them up. Orders that haven't ended are
-- counted in orders only.
SELECT path, terminal, grouping(path) AS any_path, grouping(terminal) AS any_end, count() AS orders,
    countIf(ended) AS n, quantilesExactInclusiveIf(0.5, 0.9, 0.95, 0.99)(lasted, ended) AS quantiles,
    avgIf(toFloat64(lasted), ended) AS mean
FROM (
    SELECT toString(path) AS path, toString(terminal) AS terminal, greatest(0, ended_ns - times[1]) AS lasted,
        terminal != '' AS ended
    FROM (${picked})
)
GROUP BY GROUPING SETS ((path, terminal), (terminal), ())
ORDER BY any_path DESC, any_end DESC, n DESC, path, terminal
