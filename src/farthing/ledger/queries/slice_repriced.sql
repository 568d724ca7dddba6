-- The next slice of calls to repost: those of a correction being written.
CREATE OR REPLACE TEMP TABLE reposting AS
SELECT call_no, list_pusd, low_pusd, high_pusd, kind, unpriced, book_version, contract_pusd
FROM repriced
WHERE call_no >= $first AND call_no < $beyond;
