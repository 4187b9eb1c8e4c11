-- Kaplan and Meier's estimate of the dwell in each stage. A key is twice the dwell in nanoseconds, plus one when the
-- order still waits: sorted, what lasted some time comes before what has waited as long. Between two that wait, the
-- product of (at risk - 1) / (at risk) over those that came to their end shortens to a quotient: after the i-th of n keys
-- the share that lasts longer is (n - i) * factor, and one that waits, at place c, multiplies the factor by
-- (n - c + 1) / (n - c). A level is reached in the first such segment that ends at or below it. Orders without any dwell
-- make a row without a stage.
SELECT stage, orders, finished, waiting,
    arrayMap((level, segment) -> if(segment = 0, NULL, intDiv(keys[toUInt64(greatest(
        toFloat64(if(segment = 1, 0, places[segment - 1]) + 1), ceil(length(keys) - level / factors[segment] - 1e-6)
    ))], 2)), {levels:Array(Float64)}, segments) AS quantiles
FROM (
    SELECT stage, orders, finished, waiting, position, keys, places,
        arrayMap(x -> exp(x) / length(keys), arrayPushFront(arrayCumSum(arrayMap(
            place -> log((length(keys) - place + 1) / (length(keys) - place)), places)), 0.)) AS factors,
        arrayMap((factor, last) -> (length(keys) - last) * factor, factors,
            arrayPushBack(arrayMap(place -> toUInt64(place - 1), places), length(keys))) AS shares,
        arrayMap(level -> arrayFirstIndex(x -> x <= level * (1 + {rounding:Float64}), shares), {levels:Array(Float64)})
            AS segments
    FROM (
        SELECT stage, orders, finished, waiting, position, keys,
            arrayFilter((place, key) -> key % 2 = 1, arrayEnumerate(keys), keys) AS places
        FROM (
            SELECT stage, countIf(place <= 1) AS orders, countIf(key % 2 = 0) AS finished, countIf(key % 2 = 1) AS waiting,
                avg(place) AS position, arraySort(groupArray(key)) AS keys
            FROM (
                SELECT arraySlice(stages, 1, length(dwells)) AS visited, arrayEnumerate(dwells) AS places,
                    arrayConcat(
                        arrayMap((x, y) -> 2 * toUInt64(greatest(0, y - x)), arrayPopBack(times), arrayPopFront(times)),
                        if(terminal = '', [2 * toUInt64(greatest(0, until - times[-1])) + 1], [])
                    ) AS dwells
                FROM (
                    SELECT stages, times, terminal, if(imported, {import_ns:Int64}, {now:Int64}) AS until
                    FROM (${picked})
                )
            )
            LEFT ARRAY JOIN visited AS stage, dwells AS key, places AS place
            GROUP BY stage
        )
    )
)
ORDER BY position, stage
