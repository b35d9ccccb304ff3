-- BITMAP_BUILD_AGG: NULLs, negative numbers, empty groups, DISTINCT, FILTER.
CREATE VIEW t AS SELECT * FROM (VALUES ('a', 1), ('a', 2), ('b', 2), ('a', CAST(NULL AS INT)), ('c', CAST(NULL AS INT)), ('a', -1), ('b', 2147483647), ('b', -2147483648)) AS t(k, v);
SELECT COUNT(*) FROM (SELECT k, BITMAP_CARDINALITY(BITMAP_BUILD_AGG(v)) AS n FROM t GROUP BY k) WHERE n > 1;
