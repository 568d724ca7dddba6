-- Before and after of a re-pricing, per model with calls in range.
WITH before AS (
    SELECT
        model,
        count(*) AS calls,
        sum(coalesce(list_pusd, 0)) AS pusd,
        sum(CASE WHEN list_pusd IS NULL THEN 1 ELSE 0 END) AS unpriced,
        sum(coalesce(contract_pusd, list_pusd, 0)) AS contract_pusd
    FROM calls
    WHERE ($since::TIMESTAMP IS NULL OR sent_at >= $since::TIMESTAMP)
        AND ($until::TIMESTAMP IS NULL OR sent_at < $until::TIMESTAMP)
    GROUP BY model
),
changed AS (
    SELECT
        model,
        count(*) AS calls,
        sum(coalesce(list_pusd, 0) - coalesce(former_list_pusd, 0)) AS pusd,
        sum(CASE WHEN list_pusd IS NULL THEN 1 ELSE 0 END - CASE WHEN former_list_pusd IS NULL THEN 1 ELSE 0 END)
            AS unpriced,
        sum(coalesce(contract_pusd, list_pusd, 0) - coalesce(former_contract_pusd, former_list_pusd, 0))
            AS contract_pusd
    FROM repriced
    GROUP BY model
)
SELECT
    before.model,
    before.calls,
    coalesce(changed.calls, 0),
    before.pusd,
    before.pusd + coalesce(changed.pusd, 0),
    before.unpriced,
    before.unpriced + coalesce(changed.unpriced, 0),
    before.contract_pusd,
    before.contract_pusd + coalesce(changed.contract_pusd, 0)
FROM before
LEFT JOIN changed ON changed.model = before.model
ORDER BY before.model;
