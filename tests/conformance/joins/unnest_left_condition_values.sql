-- Joins: LEFT JOIN UNNEST with a condition over VALUES.
SELECT * FROM (VALUES (ARRAY[7, 8])) AS t (c) LEFT JOIN UNNEST(c) AS u (x) ON x > 7;
