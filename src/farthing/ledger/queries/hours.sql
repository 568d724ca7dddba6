-- Calls and amounts per hour of UTC, over the rollup or over the calls; words in braces come from duckdb.py.
SELECT
    date_trunc('hour', sent_at) AS start,
    sum(calls) AS calls,
    sum(list_pusd) AS list_pusd,
    sum(contract_pusd) AS contract_pusd
FROM {relation}
WHERE {conditions}
GROUP BY start
HAVING sum(calls) <> 0
ORDER BY start;
