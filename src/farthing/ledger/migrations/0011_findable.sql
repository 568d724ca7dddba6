-- Where to look for a session and for a request id, so that their texts are not sought in every call.

-- What is found here is looked at again in "calls": rows may be too many (calls that were replaced, two texts of one key),
-- never too few. Keys are of MD5, the same in every version of everything.

-- In which hours a session has calls. Those of the same session and hour are one row, or will be.
CREATE TABLE session_hours (
    session_key UBIGINT NOT NULL,
    sent_at TIMESTAMP NOT NULL
);
INSERT INTO session_hours
SELECT md5_number_lower(session) AS session_key, hour
FROM (SELECT DISTINCT session, date_trunc('hour', sent_at) AS hour FROM calls WHERE session <> '')
ORDER BY hour, session_key;

CREATE TABLE request_keys (
    call_no BIGINT NOT NULL,
    request_key UINTEGER NOT NULL
);
INSERT INTO request_keys
SELECT call_no, (md5_number_lower(request_id) & 4294967295)::UINTEGER
FROM calls
WHERE request_id IS NOT NULL
ORDER BY call_no;
