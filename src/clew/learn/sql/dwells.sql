-- Every visit of a stage that isn't an end: path, stage, entry, time in it without holds, and whether it is over.
-- An order that waits has waited until now; one of imported history until the history ends.
SELECT
    path, visit.1 AS stage, visit.2 AS entered_ns, visit.3 > 0 AS over,
    if(visit.3 > 0, visit.3, if(imported = 1, {imported_until:Int64}, {now:Int64})) AS left_ns,
    greatest(toInt64(0), left_ns - entered_ns - arraySum(
        each -> greatest(toInt64(0), least(ifNull(each.2, left_ns), left_ns) - greatest(each.1, entered_ns)), holds)) AS dwell_ns
FROM
(
    SELECT order_id, path, imported, arrayZip(way.1, way.2, arrayPushBack(arrayPopFront(way.2), toInt64(0))) AS visits
    FROM (${ways})
) AS gone
GLOBAL LEFT JOIN (${held}) AS held USING (order_id)
ARRAY JOIN visits AS visit
WHERE NOT has({terminals:Array(String)}, stage)
