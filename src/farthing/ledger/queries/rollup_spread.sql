-- Adds the sums in "added" to every table of sums, and remembers of which days there are rows to merge.
INSERT INTO rollup SELECT * FROM added;
INSERT INTO rollup_days
SELECT date_trunc('day', sent_at) AS sent_at, tenant, feature, prompt, prompt_version, agent, environment, workspace, api_key, project,
    model, channel, service_tier, speed, inference_geo, source, stop_reason, kind,
    sum(COLUMNS('(calls|tokens|requests|pusd)$'))
FROM added
GROUP BY ALL;
INSERT INTO rollup_rates
SELECT sent_at, feature, model, channel, service_tier, speed, inference_geo, kind, sum(COLUMNS('(calls|tokens|requests|pusd)$'))
FROM added
GROUP BY ALL;
CREATE OR REPLACE TEMP TABLE added_names AS
SELECT name, sent_at AS sent_at, value, model, channel, service_tier, speed, inference_geo, kind, sum(COLUMNS('(calls|tokens|requests|pusd)$'))
FROM (SELECT *, unnest([
            {'name': 'tenant', 'value': tenant},
            {'name': 'feature', 'value': feature},
            {'name': 'prompt', 'value': prompt},
            {'name': 'prompt_version', 'value': prompt_version},
            {'name': 'agent', 'value': agent},
            {'name': 'environment', 'value': environment},
            {'name': 'workspace', 'value': workspace},
            {'name': 'api_key', 'value': api_key},
            {'name': 'project', 'value': project},
            {'name': 'source', 'value': source},
            {'name': 'stop_reason', 'value': stop_reason}
        ], recursive := true) FROM added)
GROUP BY ALL;
INSERT INTO rollup_names
SELECT name, sent_at, value, kind, sum(COLUMNS('(calls|tokens|requests|pusd)$'))
FROM added_names
GROUP BY ALL;
INSERT INTO rollup_name_days
SELECT name, date_trunc('day', sent_at) AS sent_at, value, model, channel, service_tier, speed, inference_geo, kind, sum(COLUMNS('(calls|tokens|requests|pusd)$'))
FROM added_names
GROUP BY ALL;
INSERT INTO rollup_loose SELECT date_trunc('day', sent_at) AS day, count(*) FROM added GROUP BY day;
