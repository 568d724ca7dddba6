-- Makes a table of a rollup's rows of some days, one per group, without the groups that were taken away.
CREATE OR REPLACE TEMP TABLE merged AS
SELECT
    sent_at,
    tenant,
    feature,
    prompt,
    prompt_version,
    agent,
    environment,
    workspace,
    api_key,
    project,
    model,
    channel,
    service_tier,
    speed,
    inference_geo,
    source,
    stop_reason,
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
FROM {rollup}
WHERE sent_at >= $first AND sent_at < $beyond
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
HAVING sum(calls) <> 0;
