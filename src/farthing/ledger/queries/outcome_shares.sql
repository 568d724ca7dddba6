-- What calls cost by outcome and key, every call in one row; words in braces come from outcome_tables.py.

-- named: what outcomes call their calls, under the scope of their tenant and under all tenants ('*'). Of outcomes at the
-- same instant the smallest id; the last of a name takes whatever comes later too, so it lasts for ever.
WITH named AS MATERIALIZED (
    SELECT rank, name, value, scope, happened_at, min(outcome_id) AS outcome_id
    FROM (
        SELECT rank, name, value, unnest(['*', coalesce('=' || tenant, '')]) AS scope, happened_at, outcome_id
        FROM (
            SELECT 0 AS rank, '' AS name, request AS value, tenant, happened_at, outcome_id FROM {outcomes}
            UNION ALL
            SELECT 1, '', session, tenant, happened_at, outcome_id FROM {outcomes}
            UNION ALL
            SELECT 2, tag_name, tag_value, tenant, happened_at, outcome_id FROM {outcomes}
        )
        WHERE coalesce(value, '') <> ''
    )
    GROUP BY rank, name, value, scope, happened_at
),
lasting AS MATERIALIZED (
    SELECT
        *,
        CASE
            WHEN happened_at = max(happened_at) OVER (PARTITION BY rank, name, value, scope) THEN 'infinity'::TIMESTAMP
            ELSE happened_at
        END AS lasts_until
    FROM named
),
-- called: what the calls are called, where some outcome calls them so.
called AS (
    SELECT call_no, sent_at, rank, name, value, nullif(tenant, '') AS tenant
    FROM ({names})
    SEMI JOIN named USING (rank, name, value)
),
-- A call with a tenant belongs to its tenant's outcomes or to nobody's; one without may belong to any.
scoped AS (
    SELECT
        call_no, sent_at, rank, name, value,
        unnest(CASE WHEN tenant IS NULL THEN ['*'] ELSE ['', '=' || tenant] END) AS scope
    FROM called
),
belongs AS (
    SELECT
        call_no,
        arg_min(
            {'rank': scoped.rank, 'outcome_id': outcome_id},
            {
                'rank': scoped.rank,
                'too_early': happened_at < sent_at,
                'distance_us': abs(epoch_us(happened_at) - epoch_us(sent_at)),
                'outcome_id': outcome_id
            }
        ) AS taken
    FROM scoped
    ASOF JOIN lasting
        ON scoped.rank = lasting.rank
        AND scoped.name = lasting.name
        AND scoped.value = lasting.value
        AND scoped.scope = lasting.scope
        AND scoped.sent_at <= lasting.lasts_until
    GROUP BY call_no
)
SELECT
    taken.outcome_id AS outcome_id,
    taken.rank AS joined_by,
    {keys}
    kind,
    count(*) AS calls,
    count(*) - count({cost}) AS unpriced_calls,
    coalesce(sum({cost}), 0) AS pusd
FROM calls
LEFT JOIN belongs USING (call_no)
WHERE {conditions}
GROUP BY ALL;
