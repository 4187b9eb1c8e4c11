-- Arrivals and completions by day, each on its own day whatever the order's other moments are.
SELECT toDate(fromUnixTimestamp64Nano(moment.2), {zone:String}) AS day, countIf(moment.1 = 'arrived') AS arrived,
    countIf(moment.1 = 'closed') AS closed, countIf(moment.1 = 'cancelled') AS cancelled
FROM (SELECT terminal, times, ended_ns FROM (${picked}))
ARRAY JOIN [('arrived', times[1]), (toString(terminal), ended_ns)] AS moment
WHERE moment.1 != '' AND moment.2 >= {from:Int64} AND moment.2 < {to:Int64}
GROUP BY day
ORDER BY day
