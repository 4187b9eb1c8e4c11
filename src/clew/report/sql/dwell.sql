-- Kaplan and Meier's estimate of the dwell in each stage. A key is twice the dwell in nanoseconds, plus one when the
-- order still waits: sorted, what lasted some time comes before what has waited as long. Of n keys, the i-th that came
-- to its end takes the share that lasts longer down by (n - i) / (n - i + 1); equal ones multiply to 1 - d / n. The
-- shares are kept as sums of logarithms; a quantile is the first dwell at which they come down to its level.
SELECT stage, finished, waiting,
    arrayMap(i -> if(i = 0, NULL, intDiv(keys[i], 2)), arrayMap(level -> arrayFirstIndex(x -> x <= level, shares),
        {levels:Array(Float64)})) AS quantiles
FROM (
    SELECT stage, finished, waiting, position, keys, arrayCumSum(arrayMap(
        (key, i) -> if(key % 2 = 1, 0., log((length(keys) - i) / (length(keys) - i + 1))), keys, arrayEnumerate(keys)
    )) AS shares
    FROM (
        SELECT stage, countIf(key % 2 = 0) AS finished, countIf(key % 2 = 1) AS waiting, avg(place) AS position,
            arraySort(groupArray(key)) AS keys
        FROM (
            SELECT arraySlice(stages, 1, length(dwells)) AS visited, arrayEnumerate(dwells) AS places,
                arrayConcat(
                    arrayMap((x, y) -> 2 * toUInt64(greatest(0, y - x)), arrayPopBack(times), arrayPopFront(times)),
                    if(terminal = '', [2 * toUInt64(greatest(0, until - times[-1])) + 1], [])
                ) AS dwells
            FROM (SELECT stages, times, terminal, if(imported, {import_ns:Int64}, {now:Int64}) AS until FROM (${picked}))
        )
        ARRAY JOIN visited AS stage, dwells AS key, places AS place
        GROUP BY stage
    )
)
ORDER BY position, stage
