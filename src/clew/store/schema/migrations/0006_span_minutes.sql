-- What ran, minute by minute: the base of key figures over weeks. It fills itself from the spans that are there.
TABLE span_minutes SHARD BY cityHash64(service)
(
    minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
    service ${text},
    work ${text},
    spans UInt64 CODEC(ZSTD(1)),
    errors UInt64 CODEC(ZSTD(1)),
    http_5xx UInt64 CODEC(ZSTD(1)),
    http_500 UInt64 CODEC(ZSTD(1)),
    retries UInt64 CODEC(ZSTD(1)),
    timeouts UInt64 CODEC(ZSTD(1)),
    duration_ns UInt64 CODEC(ZSTD(1)),
    buckets Array(UInt16) CODEC(ZSTD(1)),
    counts Array(UInt32) CODEC(ZSTD(1)),
    received UInt64 CODEC(ZSTD(1))
)
ENGINE ReplacingMergeTree(received)
PARTITION BY toDate(minute)
ORDER BY (minute, service, work)
${ttl_span_minutes}
SETTINGS ${durable};
