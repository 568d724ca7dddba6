-- A journal has one row, so that two who read it at once conflict and neither posts its calls again.
CREATE TEMP TABLE journals_before AS SELECT journal_id, max(read_to) AS read_to FROM journals GROUP BY journal_id;
DROP TABLE journals;
CREATE TABLE journals (
    journal_id VARCHAR PRIMARY KEY,
    read_to BIGINT NOT NULL
);
INSERT INTO journals SELECT * FROM journals_before;
DROP TABLE journals_before;
