-- Reads records from a file of JSON lines ($path) into a table with the columns of "calls" and their extra passes.
-- Fields at their defaults are left out of the file; the defaults here are those of farthing.call. Numbers in the file
-- count from $first_no.
CREATE OR REPLACE TEMP TABLE staged AS
SELECT
    call_no + $first_no AS call_no,
    stored.call.call_id AS call_id,
    call_key,
    stored.call.served.message_id AS message_id,
    message_key,
    stored.call.served.request_id AS request_id,
    stored.call.sent_at AS sent_at,
    stored.call.source AS source,
    stored.call.served.model AS model,
    coalesce(stored.call.served.channel, 'claude_api') AS channel,
    stored.call.served.location AS location,
    coalesce(stored.call.served.service_tier, 'standard') AS service_tier,
    coalesce(stored.call.served.speed, 'standard') AS speed,
    stored.call.served.inference_geo AS inference_geo,
    stored.call.served.stop_reason AS stop_reason,
    stored.call.served.refusal_category AS refusal_category,
    stored.call.served.output_started AS output_started,
    stored.call.served.prompt_tokens_max_in_one_pass AS prompt_tokens_max_in_one_pass,
    stored.call.served.prompt_tokens_reported AS prompt_tokens_reported,
    CASE WHEN is_total_of_unknown THEN NULL ELSE coalesce(stored.call.served.calls_in_total, 1) END AS calls_in_total,
    coalesce(stored.call.served.kind, 'measured') AS served_kind,
    coalesce(stored.call.served.notes, []) AS notes,
    coalesce(stored.call.served.usage.input_tokens, 0) AS input_tokens,
    coalesce(stored.call.served.usage.cache_write_5m_tokens, 0) AS cache_write_5m_tokens,
    coalesce(stored.call.served.usage.cache_write_1h_tokens, 0) AS cache_write_1h_tokens,
    coalesce(stored.call.served.usage.cache_read_tokens, 0) AS cache_read_tokens,
    coalesce(stored.call.served.usage.output_tokens, 0) AS output_tokens,
    coalesce(stored.call.served.usage.thinking_tokens, 0) AS thinking_tokens,
    coalesce(stored.call.served.usage.web_search_requests, 0) AS web_search_requests,
    coalesce(stored.call.served.usage.web_fetch_requests, 0) AS web_fetch_requests,
    coalesce(stored.call.served.usage.code_execution_requests, 0) AS code_execution_requests,
    coalesce(len(stored.call.served.extra_passes), 0) AS extra_passes,
    stored.call.dims['tenant'] AS tenant,
    stored.call.dims['feature'] AS feature,
    stored.call.dims['prompt'] AS prompt,
    stored.call.dims['prompt_version'] AS prompt_version,
    stored.call.dims['user'] AS "user",
    stored.call.dims['session'] AS session,
    stored.call.dims['agent'] AS agent,
    stored.call.dims['environment'] AS environment,
    stored.call.dims['workspace'] AS workspace,
    stored.call.dims['api_key'] AS api_key,
    stored.call.dims['project'] AS project,
    CASE
        WHEN stored.call.dims IS NULL THEN MAP {}
        ELSE map_from_entries(list_filter(map_entries(stored.call.dims), lambda tag: tag.key NOT IN (
            'tenant', 'feature', 'prompt', 'prompt_version', 'user', 'session', 'agent', 'environment', 'workspace', 'api_key', 'project'
        )))
    END AS tags,
    stored.call.duration_ms AS duration_ms,
    stored.call.ttft_ms AS ttft_ms,
    stored.posting.list_pusd AS list_pusd,
    stored.posting.low_pusd AS low_pusd,
    stored.posting.high_pusd AS high_pusd,
    stored.posting.contract_pusd AS contract_pusd,
    coalesce(stored.posting.kind, 'measured') AS kind,
    coalesce(unpriced, '') AS unpriced,
    coalesce(stored.posting.book_version, '') AS book_version,
    stored.call.served.extra_passes AS extra,
    stored.call.request AS request,
    chain
FROM read_json(
    $path,
    format = 'newline_delimited',
    maximum_object_size = $longest,
    columns = {
        call_no: 'BIGINT',
        call_key: 'UINTEGER',
        message_key: 'UINTEGER',
        is_total_of_unknown: 'BOOLEAN',
        unpriced: 'VARCHAR',
        chain: 'STRUCT(leaf UUID, ttl_5m INTEGER[], ttl_1h INTEGER[])',
        stored: 'STRUCT(
        call STRUCT(
            call_id VARCHAR, sent_at TIMESTAMP, source VARCHAR, dims MAP(VARCHAR, VARCHAR),
            duration_ms BIGINT, ttft_ms BIGINT,
            request STRUCT(
                model VARCHAR, stream BOOLEAN, max_tokens BIGINT, effort VARCHAR, thinking VARCHAR,
                thinking_budget_tokens BIGINT, speed VARCHAR, inference_geo VARCHAR, service_tier VARCHAR,
                tools BIGINT, tools_tokens BIGINT, cache_automatic BOOLEAN
            ),
            served STRUCT(
                model VARCHAR, channel VARCHAR, location VARCHAR, service_tier VARCHAR, speed VARCHAR,
                inference_geo VARCHAR, stop_reason VARCHAR, refusal_category VARCHAR, output_started BOOLEAN,
                prompt_tokens_max_in_one_pass BIGINT, prompt_tokens_reported BIGINT, calls_in_total BIGINT,
                kind VARCHAR, message_id VARCHAR, request_id VARCHAR, notes VARCHAR[],
                usage STRUCT(
                    input_tokens BIGINT,
                    cache_write_5m_tokens BIGINT,
                    cache_write_1h_tokens BIGINT,
                    cache_read_tokens BIGINT,
                    output_tokens BIGINT,
                    thinking_tokens BIGINT,
                    web_search_requests BIGINT,
                    web_fetch_requests BIGINT,
                    code_execution_requests BIGINT
                ),
                extra_passes STRUCT(
                    kind VARCHAR,
                    model VARCHAR,
                    usage STRUCT(
                        input_tokens BIGINT,
                        cache_write_5m_tokens BIGINT,
                        cache_write_1h_tokens BIGINT,
                        cache_read_tokens BIGINT,
                        output_tokens BIGINT,
                        thinking_tokens BIGINT,
                        web_search_requests BIGINT,
                        web_fetch_requests BIGINT,
                        code_execution_requests BIGINT
                    ),
                    refusal_category VARCHAR
                )[]
            )
        ),
        posting STRUCT(
            list_pusd HUGEINT, low_pusd HUGEINT, high_pusd HUGEINT, contract_pusd HUGEINT,
            kind VARCHAR, book_version VARCHAR
        ))'
    }
);
