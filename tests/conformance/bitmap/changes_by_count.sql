-- Bitmaps over changing results: values come and go.
CREATE VIEW t AS SELECT * FROM (VALUES ('a', 1), ('a', 2), ('b', 2), ('a', CAST(NULL AS INT)), ('c', CAST(NULL AS INT)), ('a', -1), ('b', 5), ('a', 7)) AS t(k, v);
CREATE VIEW r AS SELECT k, BITMAP_BUILD_AGG(v) AS b, MAX(v) AS mx, COUNT(*) AS n FROM t GROUP BY k;
SELECT n, BITMAP_BUILD_AGG(mx), BITMAP_OR_AGG(b), BITMAP_AND_AGG(b), BITMAP_XOR_AGG(b) FROM r GROUP BY n;
