-- Removes touched calls and their extra passes.
DELETE FROM passes WHERE call_no IN (SELECT call_no FROM touched);
DELETE FROM calls WHERE call_no IN (SELECT call_no FROM touched);
