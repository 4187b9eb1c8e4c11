-- Taking an import back. Bound: id, the moment at which all its events say they were received.

-- Whose events they are: once these are gone, nothing else tells.
INSERT INTO undone_orders (import_id, order_id)
SELECT {id:Int64}, order_id FROM order_events
WHERE source = 'import' AND received = fromUnixTimestamp64Nano({id:Int64}, 'UTC');

-- One statement for all months: a mutation visits every part of the table anyway.
DELETE FROM order_events${local}${on} WHERE source = 'import' AND received = fromUnixTimestamp64Nano({id:Int64}, 'UTC');

-- When their journeys are rebuilt.
ALTER TABLE undone_orders${local}${on} DROP PARTITION {id:Int64}
