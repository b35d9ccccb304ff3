-- Data types: CAST of text.
SELECT CAST('12' AS INT) AS a, CAST(' 7 ' AS BIGINT) AS b, CAST('1.55' AS DECIMAL(3, 1)) AS c, CAST('1e3' AS DOUBLE) AS d, CAST('true' AS BOOLEAN) AS e;
