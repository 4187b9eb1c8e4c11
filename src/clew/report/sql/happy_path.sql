-- The variant that most orders took to a good end.
SELECT stages, countIf(terminal = 'closed') AS closed
FROM (${picked})
GROUP BY stages
HAVING closed > 0
ORDER BY closed DESC, stages
LIMIT 1
