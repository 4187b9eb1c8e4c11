-- How many orders there are, between which moments, and how the flows that judged ended them.
SELECT
    count() AS orders,
    min(times[1]) AS first_ns,
    max(toUnixTimestamp64Nano(last_seen)) AS last_ns,
    groupUniqArrayIf((toString(stage), toString(terminal)), terminal != '') AS terminals
FROM (${picked})
