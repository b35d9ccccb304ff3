-- Set operations: EXCEPT.
SELECT s FROM (VALUES ('c'), ('a'), ('b'), ('b'), ('c')) AS t1 (s) EXCEPT SELECT s FROM (VALUES ('d'), ('e'), ('a'), ('b'), ('b')) AS t2 (s);
