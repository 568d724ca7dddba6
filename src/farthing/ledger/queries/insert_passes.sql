-- Writes the extra passes of staged records.
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
    coalesce(extra[position].usage.code_execution_requests, 0),
    extra[position].refusal_category
FROM (
    SELECT call_no, extra, unnest(range(1, extra_passes + 1)) AS position
    FROM staged
    WHERE extra_passes > 0
)
ORDER BY call_no, position;
