-- Writes those runs of blocks from a file of JSON lines ($path) that the ledger does not have.
INSERT INTO prompt_runs
WITH staged_runs AS MATERIALIZED (
    SELECT run, parent, section, from_base64(hashes) AS hashes, tokens, uncacheable
    FROM read_json(
        $path,
        format = 'newline_delimited',
        maximum_object_size = $longest,
        columns = {
            run: 'UUID',
            parent: 'UUID',
            section: 'VARCHAR',
            hashes: 'VARCHAR',
            tokens: 'BIGINT[]',
            uncacheable: 'INTEGER[]'
        }
    )
)
SELECT *
FROM staged_runs
WHERE run NOT IN (
    SELECT staged_runs.run
    FROM prompt_runs
    JOIN staged_runs ON staged_runs.run = prompt_runs.run
);
