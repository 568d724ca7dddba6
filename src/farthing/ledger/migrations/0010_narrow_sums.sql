-- Sums by fewer dimensions, for pages that ask for no more: a hundredth of the rows of the others.

-- As rollup: rows are only ever added, and a group may have several. By the feature and whatever decides a rate, hour by hour.
CREATE TABLE rollup_rates (
    sent_at TIMESTAMP NOT NULL,
    feature VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    service_tier VARCHAR NOT NULL,
    speed VARCHAR NOT NULL,
    inference_geo VARCHAR NOT NULL,
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

-- By one dimension at a time: "value" is that of the one that "name" says. Every call is in the sums of each name.
CREATE TABLE rollup_names (
    name VARCHAR NOT NULL,
    sent_at TIMESTAMP NOT NULL,
    value VARCHAR NOT NULL,
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

-- The same by whole days of UTC, and by whatever decides a rate.
CREATE TABLE rollup_name_days (
    name VARCHAR NOT NULL,
    sent_at TIMESTAMP NOT NULL,
    value VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    service_tier VARCHAR NOT NULL,
    speed VARCHAR NOT NULL,
    inference_geo VARCHAR NOT NULL,
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

INSERT INTO rollup_rates
SELECT sent_at, feature, model, channel, service_tier, speed, inference_geo, kind, sum(COLUMNS('(calls|tokens|requests|pusd)$'))
FROM rollup
GROUP BY ALL
HAVING sum(calls) <> 0
ORDER BY ALL;

INSERT INTO rollup_names
SELECT name, sent_at AS sent_at, value, kind, sum(COLUMNS('(calls|tokens|requests|pusd)$'))
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
        ], recursive := true) FROM rollup)
GROUP BY ALL
HAVING sum(calls) <> 0
ORDER BY ALL;

INSERT INTO rollup_name_days
SELECT name, date_trunc('day', sent_at) AS sent_at, value, model, channel, service_tier, speed, inference_geo, kind, sum(COLUMNS('(calls|tokens|requests|pusd)$'))
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
        ], recursive := true) FROM rollup_days)
GROUP BY ALL
HAVING sum(calls) <> 0
ORDER BY ALL;
