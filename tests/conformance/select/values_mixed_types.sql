-- SELECT: the columns of VALUES take the common type of their rows.
SELECT a, b FROM (VALUES (1, 'x'), (CAST(2 AS BIGINT), 'longer'), (CAST(NULL AS SMALLINT), CAST(NULL AS STRING))) AS t (a, b);
