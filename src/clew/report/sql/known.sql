-- The names of one kind that the orders of a flow have, and how often: those that were asked for first, then the most
-- frequent. Each kind reads its own columns only, and the other parts nothing; stages count for every visit.
SELECT name, n
FROM (
    SELECT toString(path) AS name, count() AS n
    FROM orders FINAL WHERE {kind:String} = 'path' AND flow = {flow:String} GROUP BY name
    UNION ALL
    SELECT toString(arrayJoin(stages)) AS name, count() AS n
    FROM orders FINAL WHERE {kind:String} = 'stage' AND flow = {flow:String} GROUP BY name
    UNION ALL
    SELECT toString(flow_version) AS name, count() AS n
    FROM orders FINAL WHERE {kind:String} = 'flow version' AND flow = {flow:String} GROUP BY name
    UNION ALL
    SELECT toString(arrayJoin(mapKeys(attrs))) AS name, count() AS n
    FROM orders FINAL WHERE {kind:String} = 'attribute' AND flow = {flow:String} GROUP BY name
    UNION ALL
    SELECT toString(attrs[{key:String}]) AS name, count() AS n
    FROM orders FINAL WHERE {kind:String} = 'value' AND flow = {flow:String} AND mapContains(attrs, {key:String})
    GROUP BY name
)
ORDER BY has({asked:Array(String)}, name) DESC, n DESC, name
LIMIT {most:UInt32}
