-- TO_CHANGELOG over rows that only come and over one that changes; what Flink refuses. Between the steps of a result
CREATE VIEW t AS SELECT * FROM (VALUES ('a', 1), ('b', 2), ('a', 3), (CAST(NULL AS STRING), 4)) AS t(name, v);
CREATE VIEW agg AS SELECT name, SUM(v) AS s FROM t GROUP BY name;
SELECT * FROM TO_CHANGELOG(input => TABLE agg, op_mapping => MAP['NOSUCH', 'c']);
