-- Writes staged records to the calls.
INSERT INTO calls SELECT * EXCLUDE (extra, request, chain) FROM staged;
