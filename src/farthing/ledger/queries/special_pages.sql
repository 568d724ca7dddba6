-- First and last number of each page of the calls that have a rule of their own.
SELECT min(call_no), max(call_no)
FROM (
    SELECT call_no, (row_number() OVER (ORDER BY call_no) - 1) // $page AS page
    FROM repriced
    WHERE is_special
)
GROUP BY page
ORDER BY 1;
