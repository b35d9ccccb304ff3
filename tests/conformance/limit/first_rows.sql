-- LIMIT: without an order any rows are right; of equal rows, equal ones.
SELECT a FROM (VALUES (7), (7), (7)) AS t (a) LIMIT 2;
