-- Imports that are taken back: how far each is, and the orders whose journeys are rebuilt without it. Every step may be
-- done again.
CHANGE imports ADD COLUMN IF NOT EXISTS undo UInt8 AFTER done;

TABLE undone_orders SHARD BY cityHash64(order_id)
(
    import_id Int64,
    order_id String CODEC(ZSTD(1))
)
ENGINE ReplacingMergeTree
PARTITION BY import_id
ORDER BY order_id
SETTINGS ${durable};
