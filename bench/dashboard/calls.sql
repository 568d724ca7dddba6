-- One day's calls, in order of time; words in braces come from generate.py.

-- Each hour has places of 24 calls in turn. A place is one session of 24 calls, or 3 of 8, 6 of 4, or 24 single ones, so the
-- sessions of an hour run side by side. What a session is about follows from its hash h; what a call is, from r and s too.
INSERT INTO calls BY NAME
WITH placed AS (
    SELECT
        first_no + k AS call_no,
        starts_at + to_microseconds(k * 3600000000 // calls) AS sent_at,
        k // greatest(calls // 24, 1) AS turn,
        hash(hour_no, k % greatest(calls // 24, 1), {seed}) AS place
    FROM ticks
),
talks AS (
    SELECT *, [24, 8, 4, 1, 8, 24, 24, 8][(place & 7)::INTEGER + 1] AS talk_calls FROM placed
),
sessions AS (
    SELECT
        call_no,
        sent_at,
        turn % talk_calls AS turn,
        hash(place, turn // talk_calls) AS h,
        hash(call_no, {seed}) AS r,
        hash(call_no, {seed}, 1) AS s
    FROM talks
),
about AS (
    SELECT
        sessions.*,
        features.* EXCLUDE (slot),
        pow({tenants} + 1, (h & 1048575)::DOUBLE / 1048576)::INTEGER AS tenant_no,
        CASE
            WHEN (r >> 52) = 7 THEN '{unpriced_model}'
            WHEN ((h >> 34) & 127) < {new_share} THEN new_model
            ELSE old_model
        END AS model,
        (300 + ((h >> 41) & 1023))::BIGINT AS turn_tokens,
        (s & 31) = 0 AS has_expired
    FROM sessions
    JOIN features ON features.slot = ((h >> 20) & 63)::INTEGER
),
counted AS (
    SELECT
        *,
        CASE WHEN tenant_no % 10 = 3 AND model IN ({geo_models}) THEN 'us' END AS inference_geo,
        -- fresh input, what the session has sent before, and what it adds
        (fresh_tokens + ((r & 65535) * fresh_tokens_spread // 65536))::BIGINT AS input_tokens,
        (prefix_tokens + turn * turn_tokens)::BIGINT AS known_tokens,
        (turn = 0 AND ((s >> 5) & 7) = 0) OR has_expired AS is_cold,
        pow(2, output_doublings + 4 * ((r >> 16) & 65535)::DOUBLE / 65536)::BIGINT AS output_tokens,
        CASE WHEN searches AND ((r >> 32) & 15) = 0 AND model = 'claude-sonnet-5' THEN 1 + ((r >> 36) & 1)::BIGINT ELSE 0 END
            AS web_search_requests,
        CASE WHEN ((s >> 8) & 8191) = 5 AND model <> '{unpriced_model}' THEN 1 ELSE 0 END AS extra_passes,
        CASE WHEN NOT is_cached THEN 0 WHEN is_cold THEN known_tokens + turn_tokens ELSE turn_tokens END AS written_tokens,
        CASE WHEN is_cached AND NOT is_cold THEN known_tokens ELSE 0 END AS cache_read_tokens
    FROM about
),
priced AS (
    SELECT
        counted.* EXCLUDE (model, inference_geo),
        cards.model AS model,
        cards.inference_geo AS inference_geo,
        cards.kind AS kind,
        cards.unpriced AS unpriced,
        CASE WHEN ttl_1h THEN 0 ELSE written_tokens END AS cache_write_5m_tokens,
        CASE WHEN ttl_1h THEN written_tokens ELSE 0 END AS cache_write_1h_tokens,
        input_tokens + written_tokens + cache_read_tokens > coalesce(cards.band_over, 9223372036854775807) AS is_long,
        {compaction_input} AS more_input_tokens,
        {compaction_output} AS more_output_tokens,
        CASE WHEN cards.unpriced = '' THEN
            CASE WHEN is_long THEN
                input_tokens * long_pusd[1] + cache_write_5m_tokens * long_pusd[2] + cache_write_1h_tokens * long_pusd[3]
                + cache_read_tokens * long_pusd[4] + output_tokens * long_pusd[5]
            ELSE
                input_tokens * pusd[1] + cache_write_5m_tokens * pusd[2] + cache_write_1h_tokens * pusd[3]
                + cache_read_tokens * pusd[4] + output_tokens * pusd[5]
            END
            + web_search_requests * search_pusd
            + extra_passes * (more_input_tokens * pusd[1] + more_output_tokens * pusd[5])
        END AS list_pusd
    FROM counted
    JOIN cards ON cards.model = counted.model
        AND cards.service_tier = counted.service_tier
        AND coalesce(cards.inference_geo, '') = coalesce(counted.inference_geo, '')
),
named AS (
    SELECT
        priced.* EXCLUDE (h, r, s),
        h, r, s,
        hash(r, 2) AS id_0, hash(r, 3) AS id_1, hash(r, 4) AS id_2, hash(r, 5) AS id_3
    FROM priced
)
SELECT
    call_no,
    {ids},
    message_id || ':' || request_id AS call_id,
    sent_at,
    source,
    model,
    'claude_api' AS channel,
    NULL AS location,
    service_tier,
    'standard' AS speed,
    inference_geo,
    CASE
        WHEN output_tokens > 800 AND ((r >> 40) & 7) = 0 THEN 'max_tokens'
        WHEN ((r >> 40) & 1023) = 9 THEN 'refusal'
        WHEN uses_tools AND ((r >> 43) & 3) <> 0 THEN 'tool_use'
        ELSE 'end_turn'
    END AS stop_reason,
    NULL AS refusal_category,
    NULL AS output_started,
    NULL AS prompt_tokens_max_in_one_pass,
    NULL AS prompt_tokens_reported,
    1 AS calls_in_total,
    'measured' AS served_kind,
    []::VARCHAR[] AS notes,
    input_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    cache_read_tokens,
    output_tokens,
    CASE WHEN thinks THEN output_tokens // 3 ELSE 0 END AS thinking_tokens,
    web_search_requests,
    0 AS web_fetch_requests,
    0 AS code_execution_requests,
    extra_passes,
    'tenant-' || tenant_no AS tenant,
    feature,
    prompt,
    'v' || {prompt_version} AS prompt_version,
    'user-' || tenant_no || '-' || ((h >> 26) & 255) AS "user",
    'ses_' || to_base((h >> 1)::BIGINT, 36) AS session,
    agent,
    CASE WHEN ((h >> 51) & 15) = 0 THEN 'staging' ELSE 'production' END AS environment,
    workspace,
    'key-' || to_base((hash(tenant_no, 6) >> 1)::BIGINT, 36) AS api_key,
    project,
    MAP {'team': team} AS tags,
    (300 + output_tokens * 12 + ((s >> 21) & 511))::BIGINT AS duration_ms,
    (200 + ((s >> 30) & 1023))::BIGINT AS ttft_ms,
    list_pusd,
    list_pusd AS low_pusd,
    list_pusd AS high_pusd,
    NULL AS contract_pusd,
    kind,
    unpriced,
    $book_version::VARCHAR AS book_version
FROM named
{pieces};
