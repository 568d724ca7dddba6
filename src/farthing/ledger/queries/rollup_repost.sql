-- Adds to the rollup what changes by reposting a slice, before it is done; calls that change their kind are left out.
INSERT INTO rollup
SELECT
    date_trunc('hour', calls.sent_at),
    coalesce(calls.tenant, ''),
    coalesce(calls.feature, ''),
    coalesce(calls.prompt, ''),
    coalesce(calls.prompt_version, ''),
    coalesce(calls.agent, ''),
    coalesce(calls.environment, ''),
    coalesce(calls.workspace, ''),
    coalesce(calls.api_key, ''),
    coalesce(calls.project, ''),
    coalesce(calls.model, ''),
    coalesce(calls.channel, ''),
    coalesce(calls.service_tier, ''),
    coalesce(calls.speed, ''),
    coalesce(calls.inference_geo, ''),
    coalesce(calls.source, ''),
    coalesce(calls.stop_reason, ''),
    coalesce(calls.kind, ''),
    0,
    sum(CASE WHEN reposting.list_pusd IS NULL THEN 1 ELSE 0 END - CASE WHEN calls.list_pusd IS NULL THEN 1 ELSE 0 END),
    sum(CASE WHEN reposting.high_pusd IS NULL THEN 1 ELSE 0 END - CASE WHEN calls.high_pusd IS NULL THEN 1 ELSE 0 END),
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    sum(coalesce(reposting.list_pusd, 0) - coalesce(calls.list_pusd, 0)),
    sum(coalesce(reposting.low_pusd, 0) - coalesce(calls.low_pusd, 0)),
    sum(coalesce(reposting.high_pusd, 0) - coalesce(calls.high_pusd, 0)),
    sum(
        coalesce(reposting.contract_pusd, reposting.list_pusd, 0)
        - coalesce(calls.contract_pusd, calls.list_pusd, 0)
    )
FROM calls
JOIN reposting ON reposting.call_no = calls.call_no
WHERE reposting.kind = calls.kind
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18;
