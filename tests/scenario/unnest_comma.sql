SELECT * FROM (VALUES (1, ARRAY[7, 8]), (2, ARRAY[9])) AS t (k, c), UNNEST(t.c) AS u (x);
