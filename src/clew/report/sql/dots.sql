-- The orders that began last, or a spread of all of them that is the same each time, with their visits.
SELECT order_id, toString(path) AS path, toString(terminal) AS terminal,
    CAST(arraySlice(stages, 1, {visits:UInt32}), 'Array(String)') AS visited, arraySlice(times, 1, {visits:UInt32}) AS moments
FROM (${picked})
ORDER BY if({spread:UInt8} = 1, toInt64(bitShiftRight(cityHash64(order_id), 1)), -times[1]), order_id
LIMIT {orders:UInt32}
