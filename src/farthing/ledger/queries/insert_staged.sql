-- Writes staged records to the calls, their extra passes and their requests, and remembers which calls these are.
CREATE OR REPLACE TEMP TABLE touched AS SELECT call_no FROM staged;
INSERT INTO calls SELECT * EXCLUDE (extra, request, chain) FROM staged ORDER BY call_no;
INSERT INTO passes
SELECT
    call_no,
    position,
    extra[position].kind,
    extra[position].model,
    coalesce(extra[position].usage.input_tokens, 0),
    coalesce(extra[position].usage.cache_write_5m_tokens, 0),
    coalesce(extra[position].usage.cache_write_1h_tokens, 0),
    coalesce(extra[position].usage.cache_read_tokens, 0),
    coalesce(extra[position].usage.output_tokens, 0),
    coalesce(extra[position].usage.thinking_tokens, 0),
    coalesce(extra[position].usage.web_search_requests, 0),
    coalesce(extra[position].usage.web_fetch_requests, 0),
    coalesce(extra[position].usage.code_execution_requests, 0)
FROM (
    SELECT call_no, extra, unnest(range(1, extra_passes + 1)) AS position
    FROM staged
    WHERE extra_passes > 0
)
ORDER BY call_no, position;
INSERT INTO requests
SELECT
    call_no,
    coalesce(request.model, ''),
    coalesce(request.stream, false),
    request.max_tokens,
    request.effort,
    request.thinking,
    request.thinking_budget_tokens,
    request.speed,
    request.inference_geo,
    request.service_tier,
    coalesce(request.tools, 0),
    coalesce(request.tools_tokens, 0),
    coalesce(request.cache_automatic, false),
    chain.leaf,
    coalesce(chain.ttl_5m, []),
    coalesce(chain.ttl_1h, [])
FROM staged
WHERE request IS NOT NULL
ORDER BY call_no;
