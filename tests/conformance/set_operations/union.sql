-- Set operations: UNION, the example of the documentation.
SELECT s FROM (VALUES ('c'), ('a'), ('b'), ('b'), ('c')) AS t1 (s) UNION SELECT s FROM (VALUES ('d'), ('e'), ('a'), ('b'), ('b')) AS t2 (s);
