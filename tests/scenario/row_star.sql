SELECT t.r.*, t.r.x AS z FROM (SELECT CAST(ROW(1, 2) AS ROW<x INT, y INT>) AS r) AS t;
