-- The orders that the filter picks, each with its way: (stage, Unix ns) of every milestone as clew.journey.rebuild has
-- them under a flow with these stages and terminals. Stages that aren't kept are as if they weren't there, reports of
-- one stage in a row are the first of them, and the first terminal stage ends the way. An order that names no path takes
-- the one that its first stage is an entry of.
SELECT
    order_id, imported,
    if(given = '', transform(first, {entries:Array(String)}, {entry_paths:Array(String)}, ''), given) AS path,
    if(cut = 0, runs, arraySlice(runs, 1, cut)) AS way
FROM
(
    SELECT
        order_id, given, first, imported,
        arrayFilter((here, before) -> here.1 != before.1, known,
            arraySlice(arrayPushFront(known, ('', toInt64(0))), 1, length(known))) AS runs,
        arrayFirstIndex(each -> has({terminals:Array(String)}, each.1), runs) AS cut
    FROM
    (
        SELECT
            order_id, toString(path) AS given, toString(stages[1]) AS first, imported,
            arrayFilter(each -> empty({kept:Array(String)}) OR has({kept:Array(String)}, each.1),
                arrayZip(CAST(stages, 'Array(String)'), times)) AS known
        FROM (${picked})
        WHERE cityHash64(order_id) % {every:UInt32} = 0
    )
)
WHERE notEmpty(runs)
