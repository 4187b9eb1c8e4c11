-- All that is counted of ways, in one go: a fact is (what, three names), with how often it happened and to how many
-- orders. "any" is a stage, whether it is kept or not; "stage" one that is; "border" a path with the first and the last
-- stage; "step" what followed what. A stage follows itself where others in between aren't kept: that is no step.
SELECT
    fact.1 AS what, fact.2 AS a, fact.3 AS b, fact.4 AS c, sum(n) AS times, sumIf(n, nth = 1) AS orders
FROM
(
    SELECT
        n,
        arrayFilter(stage -> empty({counted:Array(String)}) OR has({counted:Array(String)}, stage), names) AS kept_names,
        arrayConcat(
            arrayMap(stage -> ('any', stage, '', ''), names),
            arrayMap(stage -> ('stage', stage, '', ''), kept_names),
            if(empty(kept_names), [], [('border', path, kept_names[1], kept_names[-1])]),
            arrayMap(
                (before, after) -> ('step', before, after, ''), arrayPopBack(kept_names), arrayPopFront(kept_names))
        ) AS facts
    FROM (${variants})
)
ARRAY JOIN facts AS fact, arrayEnumerateUniq(facts) AS nth
WHERE fact.1 != 'step' OR fact.2 != fact.3
GROUP BY what, a, b, c
