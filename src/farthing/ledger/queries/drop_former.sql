-- Forgets the former postings of a slice that was taken back.
DELETE FROM former_postings
WHERE correction_id = $correction_id AND call_no >= $first AND call_no < $beyond;
