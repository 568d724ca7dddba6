-- Makes a table of a rollup's rows of some days, one per group, without the groups that were taken away.
CREATE OR REPLACE TEMP TABLE merged AS
SELECT COLUMNS(* EXCLUDE (
    calls, unpriced_calls, unbounded_calls, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
    cache_read_tokens, output_tokens, thinking_tokens, web_search_requests, web_fetch_requests, code_execution_requests,
    list_pusd, low_pusd, high_pusd, contract_pusd
)), sum(COLUMNS('(calls|tokens|requests|pusd)$'))
FROM {rollup}
WHERE sent_at >= $first AND sent_at < $beyond
GROUP BY ALL
HAVING sum(calls) <> 0
ORDER BY ALL;
