-- Takes the postings that the price engine made in Python ($path, JSON lines) into the re-priced calls.
INSERT INTO repriced
SELECT
    new.call_no,
    calls.model,
    FALSE,
    new.list_pusd,
    new.low_pusd,
    new.high_pusd,
    new.kind,
    new.unpriced,
    new.book_version,
    new.contract_pusd,
    calls.list_pusd,
    calls.contract_pusd
FROM read_json(
    $path,
    format = 'newline_delimited',
    columns = {
        call_no: 'BIGINT', list_pusd: 'HUGEINT', low_pusd: 'HUGEINT', high_pusd: 'HUGEINT', kind: 'VARCHAR',
        unpriced: 'VARCHAR', book_version: 'VARCHAR', contract_pusd: 'HUGEINT'
    }
) AS new
JOIN calls ON calls.call_no = new.call_no;
