-- Remembers some calls as touched, for the queries that follow.
CREATE OR REPLACE TEMP TABLE touched AS SELECT unnest($numbers::BIGINT[]) AS call_no;
