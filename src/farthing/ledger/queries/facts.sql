-- Every set of facts that a rate depends on, among the calls in range.
SELECT DISTINCT
    model,
    channel,
    location,
    service_tier,
    speed,
    inference_geo,
    CAST(sent_at AS DATE) AS sent_on
FROM calls
WHERE ($since::TIMESTAMP IS NULL OR sent_at >= $since::TIMESTAMP)
    AND ($until::TIMESTAMP IS NULL OR sent_at < $until::TIMESTAMP);
