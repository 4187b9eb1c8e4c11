-- Orders that were ever on hold, with their holds; ids under which they were reported may be others of theirs. Found
-- first by narrow columns, so that the journeys of all others need not be read.
SELECT order_id, JSONExtract(journey, 'holds', 'Array(Tuple(begin_ns Int64, end_ns Nullable(Int64)))') AS holds
FROM orders FINAL
WHERE order_id GLOBAL IN
(
    SELECT order_id FROM orders FINAL WHERE imported = 0 AND flow = {flow:String} AND arrayExists(
        id -> id GLOBAL IN (SELECT order_id FROM order_events WHERE hold >= 0), arrayPushFront(alias_values, order_id))
)
