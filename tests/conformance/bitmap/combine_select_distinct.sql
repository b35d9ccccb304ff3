-- BITMAP_OR_AGG, BITMAP_AND_AGG, BITMAP_XOR_AGG and their cardinalities over rows that only come; BITMAP as a key.
CREATE VIEW m AS SELECT * FROM (VALUES ('a', BITMAP_BUILD(ARRAY[1, 2, 3])), ('a', BITMAP_BUILD(ARRAY[2, 3])), ('b', BITMAP_BUILD(ARRAY[7])), ('a', BITMAP_BUILD(ARRAY[2, 9]))) AS t(k, v);
SELECT DISTINCT v FROM m;
