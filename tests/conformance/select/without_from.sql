-- SELECT: no FROM, one row.
SELECT 1 + 1 AS two, 'a' || 'b' AS ab;
