-- Orders that ended and those that haven't, with deviations that count and without. Flow version 0 is a flow that nobody
-- declared: nothing can deviate from it.
SELECT countIf(terminal != '') AS completed, countIf(terminal != '' AND empty(deviations)) AS conforming,
    countIf(terminal = '') AS incomplete, countIf(terminal = '' AND notEmpty(deviations) AND flow_version > 0) AS incomplete_deviating,
    countIf(flow_version = 0) AS undeclared,
    countIf(notEmpty(accepted)) AS with_accepted
FROM (${picked})
