-- Gives the calls of a slice their other postings.
UPDATE calls
SET
    list_pusd = reposting.list_pusd,
    low_pusd = reposting.low_pusd,
    high_pusd = reposting.high_pusd,
    contract_pusd = reposting.contract_pusd,
    kind = reposting.kind,
    unpriced = reposting.unpriced,
    book_version = reposting.book_version
FROM reposting
WHERE reposting.call_no = calls.call_no;
