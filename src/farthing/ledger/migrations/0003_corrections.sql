-- Re-pricings: what was changed, why, and every former posting.

-- A correction is 'writing', 'standing', 'reverting' or 'reverted'. It is written in slices, so one that was left in the
-- first or third state is taken back when the ledger is opened again.

CREATE TABLE corrections (
    correction_id INTEGER NOT NULL,
    made_at TIMESTAMP NOT NULL,
    reason VARCHAR NOT NULL,
    book_version VARCHAR NOT NULL,
    state VARCHAR NOT NULL
);

CREATE TABLE changes (
    correction_id INTEGER NOT NULL,
    model VARCHAR NOT NULL,
    calls BIGINT NOT NULL,
    changed_calls BIGINT NOT NULL,
    before_pusd HUGEINT NOT NULL,
    after_pusd HUGEINT NOT NULL,
    before_unpriced BIGINT NOT NULL,
    after_unpriced BIGINT NOT NULL
);

CREATE TABLE former_postings (
    correction_id INTEGER NOT NULL,
    call_no BIGINT NOT NULL,
    list_pusd HUGEINT,
    low_pusd HUGEINT,
    high_pusd HUGEINT,
    kind VARCHAR NOT NULL,
    unpriced VARCHAR NOT NULL,
    book_version VARCHAR NOT NULL
);
