-- Imported orders of which nothing is known since before the first week: by the stage in which they were left. Watched
-- orders that haven't ended lie in the bucket of 1970-01-01.
SELECT stage, count() AS orders
FROM (${picked})
WHERE imported = 1 AND terminal = '' AND bucket < {first_bucket:Date}
GROUP BY stage
