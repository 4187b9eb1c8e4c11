-- How far the orders of each path come through its steps, in order: a step is reached at the first visit of its stage
-- after the step before it. ways holds the steps of all paths one after the other, each list ended by an empty text;
-- begins and counts say where the steps of each path begin in it, and how many they are.
SELECT path, step, count() AS reached,
    countIf(step = length(places) AND later) AS skipped,
    countIf(step = length(places) AND NOT later AND terminal = '') AS waiting,
    countIf(step = length(places) AND NOT later AND terminal != '') AS dropped,
    quantilesExactInclusive(0.5, 0.9)(since) AS since_step,
    quantilesExactInclusiveIf(0.5, 0.9)(whole, step = n) AS since_start
FROM (
    SELECT path, terminal, places, n, times[places[-1]] - times[places[1]] AS whole,
        arrayMap((x, y) -> greatest(0, times[x] - times[y]), places, arrayPushFront(arrayPopBack(places), places[1]))
            AS lengths,
        length(places) < n AND hasAny(arraySlice(stages, places[-1] + 1),
            arraySlice({ways:Array(String)}, begin + length(places) + 2, n - length(places) - 1)) AS later
    FROM (
        SELECT path, terminal, stages, times,
            transform(path, {paths:Array(String)}, {begins:Array(UInt32)}, toUInt32(0)) AS begin,
            transform(path, {paths:Array(String)}, {counts:Array(UInt32)}, toUInt32(0)) AS n,
            arrayFold((found, stage, i) ->
                if({ways:Array(String)}[begin + length(found) + 1] = stage, arrayPushBack(found, i), found),
                stages, arrayEnumerate(stages), CAST([], 'Array(UInt32)')) AS places
        FROM (${picked})
    )
    WHERE notEmpty(places)
)
ARRAY JOIN arrayEnumerate(places) AS step, lengths AS since
GROUP BY path, step
