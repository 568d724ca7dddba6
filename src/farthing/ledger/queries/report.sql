-- Sums by key, kind and time bucket, over the rollup or over the calls; words in braces come from asking.py.
SELECT
    {start} AS start_local,
    {offset} AS start_offset_s,
    min(sent_at) AS first_at,
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
FROM {relation}
WHERE {conditions}
GROUP BY ALL
HAVING sum(calls) <> 0;
