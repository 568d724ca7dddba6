-- Records as farthing.ledger.rows reads them; a query says which by replacing the two words in braces.
SELECT
    calls.call_no,
    call_id,
    message_id,
    request_id,
    sent_at,
    source,
    model,
    channel,
    location,
    service_tier,
    speed,
    inference_geo,
    stop_reason,
    refusal_category,
    output_started,
    prompt_tokens_max_in_one_pass,
    prompt_tokens_reported,
    calls_in_total,
    served_kind,
    notes,
    input_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    cache_read_tokens,
    output_tokens,
    thinking_tokens,
    web_search_requests,
    web_fetch_requests,
    code_execution_requests,
    extra.passes,
    tenant,
    feature,
    prompt,
    prompt_version,
    "user",
    session,
    agent,
    environment,
    workspace,
    api_key,
    project,
    tags,
    duration_ms,
    ttft_ms,
    list_pusd,
    low_pusd,
    high_pusd,
    contract_pusd,
    kind,
    unpriced,
    book_version,
    asked.request
FROM calls
LEFT JOIN (
    SELECT
        call_no,
        list((
            pass_kind,
            model,
            refusal_category,
            input_tokens,
            cache_write_5m_tokens,
            cache_write_1h_tokens,
            cache_read_tokens,
            output_tokens,
            thinking_tokens,
            web_search_requests,
            web_fetch_requests,
            code_execution_requests
        ) ORDER BY position) AS passes
    FROM passes
    GROUP BY call_no
) AS extra ON extra.call_no = calls.call_no
LEFT JOIN (
    SELECT
        call_no,
        (
            model,
            stream,
            max_tokens,
            effort,
            thinking,
            thinking_budget_tokens,
            speed,
            inference_geo,
            service_tier,
            tools,
            tools_tokens,
            cache_automatic,
            prompt,
            breakpoints_5m,
            breakpoints_1h
        ) AS request
    FROM requests
) AS asked ON asked.call_no = calls.call_no
WHERE {conditions}
ORDER BY {order};
