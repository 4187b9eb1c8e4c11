-- The names of one kind that the orders of a flow have, and how often: those that were asked for first, then the most
-- frequent.
SELECT
    arrayJoin(multiIf(
        {kind:String} = 'path', [toString(path)],
        {kind:String} = 'stage', arrayDistinct(CAST(stages, 'Array(String)')),
        {kind:String} = 'flow version', [toString(flow_version)],
        {kind:String} = 'attribute', CAST(mapKeys(attrs), 'Array(String)'),
        mapContains(attrs, {key:String}), [toString(attrs[{key:String}])],
        CAST([], 'Array(String)'))) AS name,
    count() AS n
FROM orders FINAL
WHERE flow = {flow:String}
GROUP BY name
ORDER BY has({asked:Array(String)}, name) DESC, n DESC, name
LIMIT {most:UInt32}
