-- Orders by path, first and last stage.
SELECT path, way[1].1 AS first, way[-1].1 AS last, count() AS orders
FROM (${ways})
GROUP BY path, first, last
