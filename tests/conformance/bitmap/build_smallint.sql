-- BITMAP_BUILD_AGG: NULLs, negative numbers, empty groups, DISTINCT, FILTER.
CREATE VIEW t AS SELECT * FROM (VALUES ('a', 1), ('a', 2), ('b', 2), ('a', CAST(NULL AS INT)), ('c', CAST(NULL AS INT)), ('a', -1), ('b', 2147483647), ('b', -2147483648)) AS t(k, v);
SELECT BITMAP_BUILD_AGG(CAST(v AS SMALLINT)) FROM t WHERE v < 10 AND v > -10;
