-- Why an attempt before a fallback was declined, which decides whether it is billed. Of passes that were kept before, it is
-- not known.
ALTER TABLE passes ADD COLUMN refusal_category VARCHAR;
