-- The stages that at least half of a path's orders visit, by path and then by the mean place of their first visits.
SELECT path, stage
FROM (
    SELECT path, stages, count() AS n, sum(n) OVER (PARTITION BY path) AS everyone
    FROM (${picked})
    GROUP BY path, stages
)
ARRAY JOIN arrayDistinct(stages) AS stage
GROUP BY path, stage
HAVING 2 * sum(n) >= max(everyone)
ORDER BY path, sum(n * indexOf(stages, stage)) / sum(n), stage
