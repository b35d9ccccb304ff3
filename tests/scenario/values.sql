SELECT a, b, c FROM (VALUES (1, 'x', 1.5), (2, CAST(NULL AS STRING), 2)) AS t (a, b, c);
