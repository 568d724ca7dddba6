-- How many records are staged, how many of them have a number or time that no engine keeps (those of extra passes are
-- looked at elsewhere), how many have extra passes, and how many a request. See farthing.ledger.merge.in_range.
SELECT
    count(*),
    count(*) FILTER (
        least(
            input_tokens,
            cache_write_5m_tokens,
            cache_write_1h_tokens,
            cache_read_tokens,
            output_tokens,
            thinking_tokens,
            web_search_requests,
            web_fetch_requests,
            code_execution_requests,
            prompt_tokens_max_in_one_pass,
            prompt_tokens_reported,
            calls_in_total,
            duration_ms,
            ttft_ms,
            request.max_tokens,
            request.thinking_budget_tokens,
            request.tools,
            request.tools_tokens
        ) < 0
        OR least(list_pusd, low_pusd, high_pusd, contract_pusd) < -$pusd_max::HUGEINT
        OR greatest(list_pusd, low_pusd, high_pusd, contract_pusd) > $pusd_max::HUGEINT
        OR year(sent_at) NOT BETWEEN $year_min AND $year_max
    ),
    count(*) FILTER (extra_passes > 0),
    count(request)
FROM staged;
