-- Writes the requests of staged records.
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
