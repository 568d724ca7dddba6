-- Hourly sums over the dimensions of few values, and the same measures call by call.

-- Rows are only ever added: taking calls away adds their negative, so sums are over all rows of a group. Merging rows
-- (queries/rollup_merge.sql) changes no sum. Dimensions hold the empty string for "not set";
-- sent_at is the start of the hour, so that one query text reads either relation.
CREATE TABLE rollup (
    sent_at TIMESTAMP NOT NULL,
    tenant VARCHAR NOT NULL,
    feature VARCHAR NOT NULL,
    prompt VARCHAR NOT NULL,
    prompt_version VARCHAR NOT NULL,
    agent VARCHAR NOT NULL,
    environment VARCHAR NOT NULL,
    workspace VARCHAR NOT NULL,
    api_key VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    service_tier VARCHAR NOT NULL,
    speed VARCHAR NOT NULL,
    inference_geo VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    stop_reason VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    calls HUGEINT NOT NULL,
    unpriced_calls HUGEINT NOT NULL,
    unbounded_calls HUGEINT NOT NULL,
    input_tokens HUGEINT NOT NULL,
    cache_write_5m_tokens HUGEINT NOT NULL,
    cache_write_1h_tokens HUGEINT NOT NULL,
    cache_read_tokens HUGEINT NOT NULL,
    output_tokens HUGEINT NOT NULL,
    thinking_tokens HUGEINT NOT NULL,
    web_search_requests HUGEINT NOT NULL,
    web_fetch_requests HUGEINT NOT NULL,
    code_execution_requests HUGEINT NOT NULL,
    list_pusd HUGEINT NOT NULL,
    low_pusd HUGEINT NOT NULL,
    high_pusd HUGEINT NOT NULL,
    contract_pusd HUGEINT NOT NULL
);

-- One row per call with the measures of a rollup row; counts are over the main and the extra passes.
CREATE VIEW measures AS
SELECT
    calls.call_no,
    calls.sent_at,
    calls.tenant,
    calls.feature,
    calls.prompt,
    calls.prompt_version,
    calls."user",
    calls.session,
    calls.agent,
    calls.environment,
    calls.workspace,
    calls.api_key,
    calls.project,
    calls.model,
    calls.channel,
    calls.service_tier,
    calls.speed,
    calls.inference_geo,
    calls.source,
    calls.stop_reason,
    calls.kind,
    calls.tags,
    1 AS calls,
    CASE WHEN calls.list_pusd IS NULL THEN 1 ELSE 0 END AS unpriced_calls,
    CASE WHEN calls.high_pusd IS NULL THEN 1 ELSE 0 END AS unbounded_calls,
    calls.input_tokens + coalesce(extra.input_tokens, 0) AS input_tokens,
    calls.cache_write_5m_tokens + coalesce(extra.cache_write_5m_tokens, 0) AS cache_write_5m_tokens,
    calls.cache_write_1h_tokens + coalesce(extra.cache_write_1h_tokens, 0) AS cache_write_1h_tokens,
    calls.cache_read_tokens + coalesce(extra.cache_read_tokens, 0) AS cache_read_tokens,
    calls.output_tokens + coalesce(extra.output_tokens, 0) AS output_tokens,
    calls.thinking_tokens + coalesce(extra.thinking_tokens, 0) AS thinking_tokens,
    calls.web_search_requests + coalesce(extra.web_search_requests, 0) AS web_search_requests,
    calls.web_fetch_requests + coalesce(extra.web_fetch_requests, 0) AS web_fetch_requests,
    calls.code_execution_requests + coalesce(extra.code_execution_requests, 0) AS code_execution_requests,
    coalesce(calls.list_pusd, 0) AS list_pusd,
    coalesce(calls.low_pusd, 0) AS low_pusd,
    coalesce(calls.high_pusd, 0) AS high_pusd,
    coalesce(calls.contract_pusd, calls.list_pusd, 0) AS contract_pusd
FROM calls
LEFT JOIN (
    SELECT
        call_no,
        sum(input_tokens) AS input_tokens,
        sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
        sum(cache_read_tokens) AS cache_read_tokens,
        sum(output_tokens) AS output_tokens,
        sum(thinking_tokens) AS thinking_tokens,
        sum(web_search_requests) AS web_search_requests,
        sum(web_fetch_requests) AS web_fetch_requests,
        sum(code_execution_requests) AS code_execution_requests
    FROM passes
    GROUP BY call_no
) AS extra ON extra.call_no = calls.call_no;
