-- How many orders of each path went which way; what is counted of ways is counted of these, which are far fewer.
SELECT path, way.1 AS names, count() AS n FROM (${ways}) GROUP BY path, names
