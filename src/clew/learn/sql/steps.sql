-- What followed what; an order counts at its first such step. A stage follows itself where others in between aren't
-- kept: that is no step.
SELECT step.1 AS before, step.2 AS after, sum(n) AS steps, sumIf(n, nth = 1) AS orders
FROM (SELECT n, arrayZip(arrayPopBack(names), arrayPopFront(names)) AS pairs FROM (${variants}))
ARRAY JOIN pairs AS step, arrayEnumerateUniq(pairs) AS nth
WHERE before != after
GROUP BY before, after
