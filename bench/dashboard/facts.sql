-- What belongs to the calls of numbers {first} to {beyond}: extra passes and requests.
INSERT INTO passes BY NAME
SELECT
    call_no,
    1 AS position,
    'compaction' AS pass_kind,
    NULL AS model,
    {compaction_input} AS input_tokens,
    0 AS cache_write_5m_tokens,
    0 AS cache_write_1h_tokens,
    0 AS cache_read_tokens,
    {compaction_output} AS output_tokens,
    0 AS thinking_tokens,
    0 AS web_search_requests,
    0 AS web_fetch_requests,
    0 AS code_execution_requests
FROM calls
WHERE call_no >= {first} AND call_no < {beyond} AND extra_passes > 0;
INSERT INTO requests BY NAME
SELECT
    call_no,
    model,
    calls.service_tier <> 'batch' AS stream,
    4096 AS max_tokens,
    NULL AS effort,
    CASE WHEN thinking_tokens > 0 THEN 'enabled' END AS thinking,
    CASE WHEN thinking_tokens > 0 THEN 2048 END AS thinking_budget_tokens,
    NULL AS speed,
    inference_geo,
    'auto' AS service_tier,
    CASE WHEN uses_tools THEN 12 ELSE 0 END AS tools,
    CASE WHEN uses_tools THEN 2400 ELSE 0 END AS tools_tokens,
    FALSE AS cache_automatic,
    features.leaf AS prompt,
    CASE WHEN is_cached AND NOT ttl_1h THEN [0] ELSE []::INTEGER[] END AS breakpoints_5m,
    CASE WHEN is_cached AND ttl_1h THEN [0] ELSE []::INTEGER[] END AS breakpoints_1h
FROM calls
JOIN (SELECT DISTINCT ON (prompt) prompt, leaf, is_cached, ttl_1h, uses_tools FROM features) AS features
    ON features.prompt = calls.prompt
WHERE call_no >= {first} AND call_no < {beyond} AND calls.source = 'gateway';
