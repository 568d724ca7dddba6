-- Numbers of calls that may have a request id.
SELECT call_no FROM request_keys WHERE request_key = (md5_number_lower($value) & 4294967295)::UINTEGER;
