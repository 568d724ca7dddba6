-- Staged records that may be calls the ledger has: by call id, or by message id. The narrow keys are compared first.
CREATE OR REPLACE TEMP TABLE matches AS
WITH by_key AS (
    SELECT staged.call_no AS staged_no, calls.call_no
    FROM calls JOIN staged ON staged.call_key = calls.call_key
    UNION
    SELECT staged.call_no, calls.call_no
    FROM calls JOIN staged ON staged.message_key = calls.message_key
)
SELECT by_key.staged_no, by_key.call_no,
    calls.call_id = staged.call_id
        AND calls.served_kind = staged.served_kind
        AND calls.output_tokens = staged.output_tokens
        AND coalesce(calls.request_id, '') = coalesce(staged.request_id, '') AS equally_known
FROM by_key
JOIN calls ON calls.call_no = by_key.call_no
JOIN staged ON staged.call_no = by_key.staged_no
WHERE calls.call_id = staged.call_id OR calls.message_id = staged.message_id;
