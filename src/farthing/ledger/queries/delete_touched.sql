-- Removes touched calls, their extra passes and their requests. Runs of blocks are shared, and stay.
DELETE FROM requests WHERE call_no IN (SELECT call_no FROM touched);
DELETE FROM passes WHERE call_no IN (SELECT call_no FROM touched);
DELETE FROM calls WHERE call_no IN (SELECT call_no FROM touched);
