-- Remembers the calls of a slice that move to another kind, and so to another group of the rollup.
CREATE OR REPLACE TEMP TABLE touched AS
SELECT calls.call_no
FROM calls
JOIN reposting ON reposting.call_no = calls.call_no
WHERE reposting.kind <> calls.kind;
