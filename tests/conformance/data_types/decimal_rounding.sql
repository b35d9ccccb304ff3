-- Data types: DECIMAL rounds half up when its scale shrinks.
SELECT CAST(1.005 AS DECIMAL(5, 2)) AS a, CAST(-1.005 AS DECIMAL(5, 2)) AS b, CAST(2.5 AS DECIMAL(5, 0)) AS c, CAST(0.4999 AS DECIMAL(5, 1)) AS d;
