-- The paths that the picked orders take.
SELECT path, count() AS orders
FROM (${picked})
GROUP BY path
ORDER BY orders DESC, path
