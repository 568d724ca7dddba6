-- Sums by key, kind and time bucket, over the rollup or over the calls; words in braces come from asking.py.
SELECT
    {start} AS start_local,
    {offset} AS start_offset_s,
    min(sent_at) AS first_at,
    {keys}
    kind,
    sum(calls) AS calls,
    sum(unpriced_calls) AS unpriced_calls,
    sum(unbounded_calls) AS unbounded_calls,
    sum(input_tokens) AS input_tokens,
    sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
    sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(output_tokens) AS output_tokens,
    sum(thinking_tokens) AS thinking_tokens,
    sum(web_search_requests) AS web_search_requests,
    sum(web_fetch_requests) AS web_fetch_requests,
    sum(code_execution_requests) AS code_execution_requests,
    sum(list_pusd) AS list_pusd,
    sum(low_pusd) AS low_pusd,
    sum(high_pusd) AS high_pusd,
    sum(contract_pusd) AS contract_pusd
FROM {relation}
WHERE {conditions}
GROUP BY ALL
HAVING sum(calls) <> 0;
