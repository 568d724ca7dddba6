-- How far each journal was read, and the calls in it that began and have no outcome yet.

CREATE TABLE journals (
    journal_id VARCHAR NOT NULL,
    read_to BIGINT NOT NULL
);

CREATE TABLE unsettled (
    journal_id VARCHAR NOT NULL,
    entry VARCHAR NOT NULL,
    began_at TIMESTAMP NOT NULL,
    model VARCHAR NOT NULL
);
