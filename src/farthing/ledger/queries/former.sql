-- The postings that one correction replaced.
CREATE OR REPLACE TEMP TABLE former AS
SELECT * FROM former_postings WHERE correction_id = $correction_id;
