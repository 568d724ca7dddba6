-- Numbers of the latest calls that meet some conditions, from the latest back.
SELECT call_no
FROM calls
WHERE {conditions}
ORDER BY sent_at DESC, call_id DESC
LIMIT $number::BIGINT OFFSET $skip::BIGINT;
