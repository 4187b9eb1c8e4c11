-- What a count of variants is enough for: orders of each edge, first and last stages, orders that haven't ended.
SELECT said.1 AS what, said.2 AS before, said.3 AS after, sum(n) AS orders
FROM (
    SELECT stages, terminal = '' AS waits, count() AS n
    FROM (${picked})
    GROUP BY stages, waits
)
ARRAY JOIN arrayConcat(
    arrayDistinct(arrayMap((a, b) -> ('edge', toString(a), toString(b)), arrayPopBack(stages), arrayPopFront(stages))),
    [('start', toString(stages[1]), ''), ('end', toString(stages[-1]), '')],
    if(waits, [('open', '', '')], [])
) AS said
GROUP BY said
ORDER BY what, orders DESC, before, after
