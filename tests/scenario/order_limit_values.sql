SELECT a FROM (VALUES (3), (1), (2)) AS t (a) LIMIT 2;
