-- Entries into each stage by hour of the week: 0 is Monday from 00:00 to 01:00.
SELECT stage, (toDayOfWeek(at, 0, {zone:String}) - 1) * 24 + toHour(at, {zone:String}) AS hour, count() AS entries,
    countIf(place = 1) AS orders
FROM (
    SELECT stages, arrayEnumerate(stages) AS places, arrayMap(x -> fromUnixTimestamp64Nano(x), times) AS moments
    FROM (${picked})
)
ARRAY JOIN stages AS stage, moments AS at, places AS place
GROUP BY stage, hour
