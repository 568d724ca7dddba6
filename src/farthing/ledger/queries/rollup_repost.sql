-- Sums what changes by reposting a slice, before it is done; calls that change their kind are left out.
CREATE OR REPLACE TEMP TABLE added AS
SELECT
    date_trunc('hour', calls.sent_at) AS sent_at,
    coalesce(calls.tenant, '') AS tenant,
    coalesce(calls.feature, '') AS feature,
    coalesce(calls.prompt, '') AS prompt,
    coalesce(calls.prompt_version, '') AS prompt_version,
    coalesce(calls.agent, '') AS agent,
    coalesce(calls.environment, '') AS environment,
    coalesce(calls.workspace, '') AS workspace,
    coalesce(calls.api_key, '') AS api_key,
    coalesce(calls.project, '') AS project,
    coalesce(calls.model, '') AS model,
    coalesce(calls.channel, '') AS channel,
    coalesce(calls.service_tier, '') AS service_tier,
    coalesce(calls.speed, '') AS speed,
    coalesce(calls.inference_geo, '') AS inference_geo,
    coalesce(calls.source, '') AS source,
    coalesce(calls.stop_reason, '') AS stop_reason,
    coalesce(calls.kind, '') AS kind,
    0 AS calls,
    sum(CASE WHEN reposting.list_pusd IS NULL THEN 1 ELSE 0 END - CASE WHEN calls.list_pusd IS NULL THEN 1 ELSE 0 END) AS unpriced_calls,
    sum(CASE WHEN reposting.high_pusd IS NULL THEN 1 ELSE 0 END - CASE WHEN calls.high_pusd IS NULL THEN 1 ELSE 0 END) AS unbounded_calls,
    0 AS input_tokens,
    0 AS cache_write_5m_tokens,
    0 AS cache_write_1h_tokens,
    0 AS cache_read_tokens,
    0 AS output_tokens,
    0 AS thinking_tokens,
    0 AS web_search_requests,
    0 AS web_fetch_requests,
    0 AS code_execution_requests,
    sum(coalesce(reposting.list_pusd, 0) - coalesce(calls.list_pusd, 0)) AS list_pusd,
    sum(coalesce(reposting.low_pusd, 0) - coalesce(calls.low_pusd, 0)) AS low_pusd,
    sum(coalesce(reposting.high_pusd, 0) - coalesce(calls.high_pusd, 0)) AS high_pusd,
    sum(
        coalesce(reposting.contract_pusd, reposting.list_pusd, 0)
        - coalesce(calls.contract_pusd, calls.list_pusd, 0)
    ) AS contract_pusd
FROM calls
JOIN reposting ON reposting.call_no = calls.call_no
WHERE reposting.kind = calls.kind
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18;
