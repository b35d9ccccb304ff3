-- Aggregate functions: AVG of negative integers.
SELECT AVG(a) AS x, AVG(b) AS y FROM (VALUES (-7, CAST(-7 AS DECIMAL(5, 1))), (-2, 2.5), (2, 0.1)) AS t (a, b);
