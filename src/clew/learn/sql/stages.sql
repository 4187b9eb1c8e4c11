-- Visits and orders of each stage; an order counts at its first visit.
SELECT each.1 AS stage, count() AS visits, countIf(nth = 1) AS orders
FROM (SELECT way, arrayEnumerateUniq(way.1) AS nths FROM (${ways}))
ARRAY JOIN way AS each, nths AS nth
GROUP BY stage
