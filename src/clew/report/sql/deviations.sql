-- How often each deviation occurs, and in how many orders. Those that the flow accepts come apart.
SELECT said.1 AS tolerated, said.2 AS deviation, count() AS orders, countIf(terminal != '') AS completed,
    sum(said.3) AS times
FROM (SELECT * FROM (${picked}) WHERE flow_version > 0)
ARRAY JOIN arrayConcat(
    arrayMap(d -> (0, toString(d), countEqual(deviations, d)), arrayDistinct(deviations)),
    arrayMap(d -> (1, toString(d), countEqual(accepted, d)), arrayDistinct(accepted))
) AS said
GROUP BY tolerated, deviation
ORDER BY tolerated, orders DESC, deviation
