-- What a call's request asked for, and its prompt as a chain of runs of blocks, without text.

-- One row for each call whose request is known. breakpoints_* are positions in the prompt; prompt is the last run of it.
CREATE TABLE requests (
    call_no BIGINT NOT NULL,
    model VARCHAR NOT NULL,
    stream BOOLEAN NOT NULL,
    max_tokens BIGINT,
    effort VARCHAR,
    thinking VARCHAR,
    thinking_budget_tokens BIGINT,
    speed VARCHAR,
    inference_geo VARCHAR,
    service_tier VARCHAR,
    tools BIGINT NOT NULL,
    tools_tokens BIGINT NOT NULL,
    cache_automatic BOOLEAN NOT NULL,
    prompt UUID,
    breakpoints_5m INTEGER[] NOT NULL,
    breakpoints_1h INTEGER[] NOT NULL
);

-- Runs are shared by calls and never removed. run is a digest of the run and of all before it; hashes are 16 bytes each.
CREATE TABLE prompt_runs (
    run UUID NOT NULL,
    parent UUID,
    section VARCHAR NOT NULL,
    hashes BLOB NOT NULL,
    tokens BIGINT[] NOT NULL,
    uncacheable INTEGER[] NOT NULL
);

-- What a stream of an unsettled call had told of it when it began: a record as in the journal, to be posted where its
-- writer is gone.
ALTER TABLE unsettled ADD COLUMN seen VARCHAR;
