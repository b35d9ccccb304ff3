SELECT k, x FROM (VALUES (1, ARRAY[7, 8]), (2, ARRAY[9])) AS t (k, c) INNER JOIN UNNEST(c) AS u (x) ON x > 7;
