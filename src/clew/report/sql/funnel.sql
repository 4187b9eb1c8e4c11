-- How far the orders of each path come through its steps, in order: a step is reached at the first visit of its stage
-- after the step before it. step 0 counts all orders of the path.
SELECT path, step, count() AS reached,
    countIf(step = length(places) AND later) AS skipped,
    countIf(step = length(places) AND NOT later AND terminal = '') AS waiting,
    countIf(step = length(places) AND NOT later AND terminal != '') AS dropped,
    quantilesExactInclusive(0.5, 0.9)(greatest(0, at - before)) AS since_step,
    quantilesExactInclusiveIf(0.5, 0.9)(greatest(0, at - reached_at[1]), step = length(steps)) AS since_start
FROM (
    SELECT path, terminal, steps, places, arrayMap(i -> times[i], places) AS reached_at,
        hasAny(arraySlice(stages, if(empty(places), 1, places[-1] + 1)), arraySlice(steps, length(places) + 2)) AS later
    FROM (
        SELECT path, terminal, stages, times, {steps:Array(Array(String))}[indexOf({paths:Array(String)}, path)] AS steps,
            arrayFold((found, stage, i) -> if(steps[length(found) + 1] = stage, arrayPushBack(found, i), found),
                stages, arrayEnumerate(stages), CAST([], 'Array(UInt32)')) AS places
        FROM (${picked})
    )
)
ARRAY JOIN arrayConcat([0], arrayEnumerate(places)) AS step, arrayConcat([0], reached_at) AS at,
    arrayPopBack(arrayConcat([0, 0], reached_at)) AS before
GROUP BY path, step
ORDER BY path, step
