-- Seconds in each stage by path: of visits that are over, and of those that aren't.
SELECT
    path, stage,
    groupArrayIf(dwell_ns / 1e9, over) AS finished,
    groupArrayIf(dwell_ns / 1e9, NOT over) AS waiting
FROM (${dwells})
GROUP BY path, stage
