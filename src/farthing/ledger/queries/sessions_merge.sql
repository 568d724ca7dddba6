-- Gives every session and hour of some days one row again.
CREATE OR REPLACE TEMP TABLE merged AS
SELECT DISTINCT session_key, sent_at
FROM session_hours
WHERE sent_at >= $first AND sent_at < $beyond
ORDER BY sent_at, session_key;
