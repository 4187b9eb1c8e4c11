-- Imported history: attributes of stage events and of orders, orders of which only imports tell, and the deviations that
-- the flow accepts. Every step may be done again.
CHANGE order_events ADD COLUMN IF NOT EXISTS attrs ${attrs} CODEC(ZSTD(1)) AFTER aliases;

CHANGE orders ADD COLUMN IF NOT EXISTS accepted Array(${text}) AFTER deviations;

CHANGE orders ADD COLUMN IF NOT EXISTS attrs ${attrs} CODEC(ZSTD(1)) AFTER accepted;

CHANGE orders ADD COLUMN IF NOT EXISTS imported UInt8 AFTER attrs;
