-- The stages that at least half of the orders visit, by the mean place of their first visits.
SELECT stage
FROM (
    SELECT stages, count() AS n, sum(n) OVER () AS everyone
    FROM (${picked})
    GROUP BY stages
)
ARRAY JOIN arrayDistinct(stages) AS stage
GROUP BY stage
HAVING 2 * sum(n) >= max(everyone)
ORDER BY sum(n * indexOf(stages, stage)) / sum(n), stage
