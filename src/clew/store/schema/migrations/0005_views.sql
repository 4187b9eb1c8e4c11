-- Saved views of the list of orders. The step may be done again.
TABLE views SHARD BY cityHash64(name)
(
    name String,
    filter String,
    gone UInt8,
    written DateTime64(9, 'UTC')
)
ENGINE ReplacingMergeTree(written)
ORDER BY name
SETTINGS ${durable};
