-- Prices the calls in range at the rates and keeps those whose posting changes, with their former price.
-- Contract prices stay as they are. A call that no row of rates fits has a rule of its own: it is marked, and the price engine prices it in Python.
CREATE OR REPLACE TEMP TABLE repriced AS
WITH in_range AS (
    SELECT
        *,
        input_tokens::HUGEINT + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens AS prompt_tokens
    FROM calls
    WHERE ($since::TIMESTAMP IS NULL OR sent_at >= $since::TIMESTAMP)
        AND ($until::TIMESTAMP IS NULL OR sent_at < $until::TIMESTAMP)
),
priced AS (
    SELECT
        c.call_no,
        c.model,
        rates.model IS NULL AS is_special,
        CASE
            WHEN rates.unpriced = '' THEN
                c.input_tokens * coalesce(rates.input_pusd, 0)
                + c.cache_write_5m_tokens * coalesce(rates.cache_write_5m_pusd, 0)
                + c.cache_write_1h_tokens * coalesce(rates.cache_write_1h_pusd, 0)
                + c.cache_read_tokens * coalesce(rates.cache_read_pusd, 0)
                + c.output_tokens * coalesce(rates.output_pusd, 0)
                + c.web_search_requests * coalesce(rates.web_search_pusd, 0)
        END AS pusd,
        CASE
            WHEN c.served_kind = 'assumed' OR rates.kind = 'assumed' THEN 'assumed'
            WHEN c.served_kind = 'derived' OR rates.kind = 'derived' THEN 'derived'
            ELSE 'measured'
        END AS kind,
        rates.unpriced,
        c.list_pusd AS former_list_pusd,
        c.low_pusd AS former_low_pusd,
        c.high_pusd AS former_high_pusd,
        c.kind AS former_kind,
        c.unpriced AS former_unpriced,
        c.contract_pusd
    FROM in_range AS c
    LEFT JOIN rates ON c.model = rates.model
        AND c.channel = rates.channel
        AND c.location IS NOT DISTINCT FROM rates.location
        AND c.service_tier = rates.service_tier
        AND c.speed = rates.speed
        AND c.inference_geo IS NOT DISTINCT FROM rates.inference_geo
        AND CAST(c.sent_at AS DATE) = rates.sent_on
        AND c.extra_passes = 0
        AND c.code_execution_requests = 0
        AND coalesce(c.stop_reason, '') <> 'refusal'
        AND (rates.prompt_tokens_over = 0 OR c.prompt_tokens > rates.prompt_tokens_over)
        AND (rates.prompt_tokens_up_to IS NULL OR c.prompt_tokens <= rates.prompt_tokens_up_to)
        AND (
            NOT rates.alone
            OR (
                c.calls_in_total = 1
                AND c.prompt_tokens_max_in_one_pass IS NULL
                AND c.web_search_requests = 0
                AND c.web_fetch_requests = 0
            )
        )
        AND (
            rates.unpriced <> ''
            OR (
                (rates.input_pusd IS NOT NULL OR c.input_tokens = 0)
                AND (rates.cache_write_5m_pusd IS NOT NULL OR c.cache_write_5m_tokens = 0)
                AND (rates.cache_write_1h_pusd IS NOT NULL OR c.cache_write_1h_tokens = 0)
                AND (rates.cache_read_pusd IS NOT NULL OR c.cache_read_tokens = 0)
                AND (rates.output_pusd IS NOT NULL OR c.output_tokens = 0)
                AND (rates.web_search_pusd IS NOT NULL OR c.web_search_requests = 0)
            )
        )
)
SELECT
    call_no,
    model,
    is_special,
    pusd AS list_pusd,
    pusd AS low_pusd,
    pusd AS high_pusd,
    kind,
    unpriced,
    $book_version::VARCHAR AS book_version,
    contract_pusd,
    former_list_pusd,
    contract_pusd AS former_contract_pusd
FROM priced
WHERE is_special
    OR pusd IS DISTINCT FROM former_list_pusd
    OR pusd IS DISTINCT FROM former_low_pusd
    OR pusd IS DISTINCT FROM former_high_pusd
    OR kind <> former_kind
    OR unpriced <> former_unpriced;
