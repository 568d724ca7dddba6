-- Writes where the sessions and request ids of staged records can be found.
INSERT INTO session_hours
SELECT md5_number_lower(session), hour
FROM (SELECT DISTINCT session, date_trunc('hour', sent_at) AS hour FROM staged WHERE session <> '');
INSERT INTO request_keys
SELECT call_no, (md5_number_lower(request_id) & 4294967295)::UINTEGER
FROM staged
WHERE request_id IS NOT NULL
ORDER BY call_no;
