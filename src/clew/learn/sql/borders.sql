-- Orders by path, first and last stage.
SELECT path, names[1] AS first, names[-1] AS last, sum(n) AS orders
FROM (${variants})
GROUP BY path, first, last
