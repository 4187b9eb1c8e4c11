-- The variant that most orders took to a good end; of equals the shortest.
SELECT stages, countIf(terminal = 'closed') AS closed
FROM (${picked})
GROUP BY stages
HAVING closed > 0
ORDER BY closed DESC, length(stages), stages
LIMIT 1
