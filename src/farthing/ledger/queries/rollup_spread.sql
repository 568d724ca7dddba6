-- Adds the sums in "added" to the hours and to the days, and remembers of which days there are rows to merge.
INSERT INTO rollup SELECT * FROM added;
INSERT INTO rollup_days
SELECT
    date_trunc('day', sent_at) AS day,
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
    sum(calls),
    sum(unpriced_calls),
    sum(unbounded_calls),
    sum(input_tokens),
    sum(cache_write_5m_tokens),
    sum(cache_write_1h_tokens),
    sum(cache_read_tokens),
    sum(output_tokens),
    sum(thinking_tokens),
    sum(web_search_requests),
    sum(web_fetch_requests),
    sum(code_execution_requests),
    sum(list_pusd),
    sum(low_pusd),
    sum(high_pusd),
    sum(contract_pusd)
FROM added
GROUP BY day, tenant, feature, prompt, prompt_version, agent, environment, workspace, api_key, project, model, channel, service_tier, speed, inference_geo, source, stop_reason, kind;
INSERT INTO rollup_loose SELECT date_trunc('day', sent_at) AS day, count(*) FROM added GROUP BY day;
