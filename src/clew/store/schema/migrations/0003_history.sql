-- Imported history: attributes of stage events and of orders, orders of which only imports tell, and the deviations that
-- the flow accepts. Every step may be done again.
CHANGE order_events ADD COLUMN IF NOT EXISTS attrs ${attrs} CODEC(ZSTD(1)) AFTER aliases;

CHANGE orders ADD COLUMN IF NOT EXISTS accepted Array(${text}) AFTER deviations;

CHANGE orders ADD COLUMN IF NOT EXISTS attrs ${attrs} CODEC(ZSTD(1)) AFTER accepted;

CHANGE orders ADD COLUMN IF NOT EXISTS imported UInt8 AFTER attrs;

TABLE imports SHARD BY cityHash64(import_id)
(
    import_id Int64,
    name String,
    flow ${text},
    events UInt64,
    orders UInt64,
    rebuilt UInt64,
    position String,
    generation UInt32,
    done UInt8,
    written DateTime64(9, 'UTC')
)
ENGINE ReplacingMergeTree(written)
ORDER BY import_id
SETTINGS ${durable};
