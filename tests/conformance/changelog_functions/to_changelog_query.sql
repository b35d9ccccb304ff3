-- TO_CHANGELOG over rows that only come and over one that changes; what Flink refuses. Between the steps of a result
CREATE VIEW t AS SELECT * FROM (VALUES ('a', 1), ('b', 2), ('a', 3), (CAST(NULL AS STRING), 4)) AS t(name, v);
SELECT op AS kind, name, v FROM TO_CHANGELOG(input => (SELECT * FROM t));
