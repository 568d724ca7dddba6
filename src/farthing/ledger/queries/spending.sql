-- What calls cost, summed by the values that somebody asks for and by stretches of time.
SELECT
    {keys}
    {model} AS model,
    {stretch} AS stretch,
    min(sent_at) AS first_at,
    count(*) AS calls,
    count(*) FILTER (WHERE coalesce(list_pusd, high_pusd) IS NULL) AS unpriced_calls,
    coalesce(sum(coalesce(list_pusd, high_pusd)), 0) AS pusd
FROM calls {asked}
WHERE {conditions}
GROUP BY ALL
HAVING count(*) > 0
ORDER BY first_at;
