-- How few calls carry how much; words in braces come from outcome_tables.py.
WITH priced AS (
    SELECT {cost} AS pusd FROM calls WHERE {conditions} AND {cost} IS NOT NULL
),
placed AS (
    SELECT pusd, row_number() OVER (ORDER BY pusd DESC) AS place, count(*) OVER () AS calls FROM priced
)
SELECT
    count(*) AS calls,
    coalesce(sum(pusd), 0) AS pusd,
    coalesce(sum(pusd) FILTER (place <= (calls + 99) // 100), 0) AS top_1_pusd,
    coalesce(sum(pusd) FILTER (place <= (calls + 19) // 20), 0) AS top_5_pusd
FROM placed;
