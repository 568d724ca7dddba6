-- Pairs of a staged record and a call of the ledger that have a narrow key in common, and which of the two. Among many
-- millions of calls some always have one by chance.
CREATE OR REPLACE TEMP TABLE by_key AS
SELECT staged_no, call_no, bool_or(by_call) AS by_call, bool_or(NOT by_call) AS by_message
FROM (
    SELECT staged.call_no AS staged_no, calls.call_no, TRUE AS by_call
    FROM calls JOIN staged ON staged.call_key = calls.call_key
    UNION ALL
    SELECT staged.call_no, calls.call_no, FALSE
    FROM calls JOIN staged ON staged.message_key = calls.message_key
)
GROUP BY staged_no, call_no;
