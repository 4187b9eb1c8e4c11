-- Orders that ended and those that haven't, with deviations that count and without.
SELECT countIf(terminal != '') AS completed, countIf(terminal != '' AND empty(deviations)) AS conforming,
    countIf(terminal = '') AS incomplete, countIf(terminal = '' AND notEmpty(deviations)) AS incomplete_deviating,
    countIf(notEmpty(accepted)) AS with_accepted
FROM (${picked})
