SELECT a, b FROM (VALUES (1, 2), (3, 4), (5, 6)) AS t (a, b) WHERE (a, b) IN ((1, 2), (3, 5)) OR (a, b) = (5, 6);
