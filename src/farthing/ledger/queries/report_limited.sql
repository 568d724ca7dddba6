-- The sums of queries/report.sql with every key but the dearest few summed as "other"; words in braces come from asking.py.
WITH grouped AS (
    {report}
),
dearest AS (
    SELECT {names}, TRUE AS is_kept
    FROM grouped
    GROUP BY {names}
    ORDER BY sum(list_pusd) DESC, {texts}
    LIMIT {limit}
)
SELECT
    start_local,
    start_offset_s,
    min(first_at),
    {keys}
    kind,
    sum(calls),
    sum(unpriced_calls),
    sum(unbounded_calls),
    sum(input_tokens),
    sum(cache_write_5m_tokens),
    sum(cache_write_1h_tokens),
    sum(cache_read_tokens),
    sum(output_tokens),
    sum(thinking_tokens),
    sum(web_search_requests),
    sum(web_fetch_requests),
    sum(code_execution_requests),
    sum(list_pusd),
    sum(low_pusd),
    sum(high_pusd),
    sum(contract_pusd)
FROM grouped
{join} dearest ON {same}
GROUP BY ALL;
