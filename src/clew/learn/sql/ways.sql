-- The orders that the filter picks, each with its way: (stage, Unix ns) of every milestone as clew.journey.rebuild has
-- them under a flow with these stages and terminals. Reports of one stage in a row are the first of them, stages that
-- aren't kept are left out then, and the first terminal stage ends the way. An order that names no path takes the one
-- that its first stage is an entry of.
SELECT
    order_id, imported,
    if(given = '', transform(first, {entries:Array(String)}, {entry_paths:Array(String)}, ''), given) AS path,
    if(cut = 0, known, arraySlice(known, 1, cut)) AS way
FROM
(
    SELECT
        order_id, given, first, imported,
        arrayFilter(
            (here, before) -> here.1 != before AND (empty({kept:Array(String)}) OR has({kept:Array(String)}, here.1)),
            arrayZip(names, times), arrayPushFront(arrayPopBack(names), '')) AS known,
        arrayFirstIndex(each -> has({terminals:Array(String)}, each.1), known) AS cut
    FROM
    (
        SELECT
            order_id, toString(path) AS given, toString(stages[1]) AS first, imported, times,
            CAST(stages, 'Array(String)') AS names
        FROM (${picked})
        WHERE cityHash64(order_id) % {every:UInt32} = 0
    )
)
WHERE notEmpty(known)
