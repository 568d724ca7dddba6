-- Keeps the posting that every call about to be reposted has now.
INSERT INTO former_postings
SELECT
    $correction_id,
    calls.call_no,
    calls.list_pusd,
    calls.low_pusd,
    calls.high_pusd,
    calls.kind,
    calls.unpriced,
    calls.book_version,
    calls.contract_pusd
FROM calls
JOIN reposting ON reposting.call_no = calls.call_no;
