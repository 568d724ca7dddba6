-- Keeps the former posting of every call that a correction changes.
INSERT INTO former_postings
SELECT
    $correction_id,
    call_no,
    former_list_pusd,
    former_low_pusd,
    former_high_pusd,
    former_contract_pusd,
    former_kind,
    former_unpriced,
    former_book_version
FROM repriced;
