-- What followed what; an order counts at its first such step.
SELECT step.1 AS before, step.2 AS after, count() AS steps, countIf(nth = 1) AS orders
FROM
(
    SELECT arrayZip(arrayPopBack(way.1), arrayPopFront(way.1)) AS pairs, arrayEnumerateUniq(pairs) AS nths
    FROM (${ways})
)
ARRAY JOIN pairs AS step, nths AS nth
GROUP BY before, after
