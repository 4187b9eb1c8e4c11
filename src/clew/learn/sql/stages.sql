-- Visits and orders of each stage; an order counts at its first visit.
SELECT stage, sum(n) AS visits, sumIf(n, nth = 1) AS orders
FROM (${variants})
ARRAY JOIN names AS stage, arrayEnumerateUniq(names) AS nth
GROUP BY stage
