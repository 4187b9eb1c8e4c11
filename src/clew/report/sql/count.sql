SELECT count() AS orders
FROM (${picked})
