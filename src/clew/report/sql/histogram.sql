-- How many finished orders took how long, by widths; what lasted longer than all of them comes in one more.
SELECT least(intDiv(greatest(0, ended_ns - times[1]), {width:Int64}), {bins:Int64}) AS bin,
    countIf(terminal = 'closed') AS closed, countIf(terminal = 'cancelled') AS cancelled
FROM (${picked})
WHERE terminal != ''
GROUP BY bin
ORDER BY bin
