-- What came of calls, as somebody outside told it, and what was known of it before it was told otherwise.

-- tenant is the one in dims, a JSON object of text; it stands by itself because no outcome takes another tenant's calls.
CREATE TABLE outcomes (
    outcome_no BIGINT NOT NULL,
    outcome_id VARCHAR NOT NULL,
    happened_at TIMESTAMP NOT NULL,
    at_assumed BOOLEAN NOT NULL,
    name VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    value_pusd HUGEINT,
    revenue_pusd HUGEINT,
    session VARCHAR,
    request VARCHAR,
    tag_name VARCHAR,
    tag_value VARCHAR,
    tenant VARCHAR,
    dims VARCHAR NOT NULL
);

-- outcome_no is that of the outcome; replacement counts from 1, oldest first.
CREATE TABLE replaced_outcomes (
    outcome_no BIGINT NOT NULL,
    outcome_id VARCHAR NOT NULL,
    happened_at TIMESTAMP NOT NULL,
    at_assumed BOOLEAN NOT NULL,
    name VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    value_pusd HUGEINT,
    revenue_pusd HUGEINT,
    session VARCHAR,
    request VARCHAR,
    tag_name VARCHAR,
    tag_value VARCHAR,
    tenant VARCHAR,
    dims VARCHAR NOT NULL,
    replaced_at TIMESTAMP NOT NULL,
    replacement BIGINT NOT NULL
);
