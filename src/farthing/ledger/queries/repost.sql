-- Gives calls the postings in {relation}; the word in braces is the name of one of our own tables.
UPDATE calls
SET
    list_pusd = new.list_pusd,
    low_pusd = new.low_pusd,
    high_pusd = new.high_pusd,
    contract_pusd = new.contract_pusd,
    kind = new.kind,
    unpriced = new.unpriced,
    book_version = new.book_version
FROM {relation} AS new
WHERE new.call_no = calls.call_no;
