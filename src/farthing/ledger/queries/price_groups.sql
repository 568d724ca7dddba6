-- Counts of the calls that one row of rates fits, summed over whatever decides which row that is; words in braces come from price_groups.py.
-- Every count is summed twice: as it is, and scaled call by call, halves up.
WITH asked AS (
    SELECT
        calls.*,
        {keys}
        CAST(sent_at AS DATE) AS sent_on,
        CAST({later} AS DATE) AS later_on,
        {longest} AS output_class,
        input_tokens::HUGEINT + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens AS prompt_tokens,
        {scaled input_tokens} AS input_scaled,
        {scaled cache_write_5m_tokens} AS write_5m_scaled,
        {scaled cache_write_1h_tokens} AS write_1h_scaled,
        {scaled cache_read_tokens} AS read_scaled,
        {scaled output_tokens} AS output_scaled
    FROM calls
    {requests}
    WHERE {conditions}
        AND NOT ({special})
)
SELECT
    model,
    channel,
    location,
    service_tier,
    speed,
    inference_geo,
    served_kind,
    sent_on,
    later_on,
    output_class,
    {key_names}
    {prompt_class} AS prompt_class,
    {scaled_class} AS scaled_class,
    min(prompt_tokens) AS prompt_tokens_min,
    min(input_scaled + write_5m_scaled + write_1h_scaled + read_scaled) AS scaled_tokens_min,
    input_tokens > 0 AS has_input,
    cache_write_5m_tokens > 0 AS has_write_5m,
    cache_write_1h_tokens > 0 AS has_write_1h,
    cache_read_tokens > 0 AS has_read,
    output_tokens > 0 AS has_output,
    web_search_requests > 0 AS has_search,
    count(*) AS calls,
    sum(input_tokens) AS input_tokens,
    sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
    sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(output_tokens) AS output_tokens,
    sum(web_search_requests) AS web_search_requests,
    sum(input_scaled) AS input_scaled,
    sum(write_5m_scaled) AS write_5m_scaled,
    sum(write_1h_scaled) AS write_1h_scaled,
    sum(read_scaled) AS read_scaled,
    sum(output_scaled) AS output_scaled,
    coalesce(sum(list_pusd), 0) AS posted_pusd
FROM asked
GROUP BY ALL;
