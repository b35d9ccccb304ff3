-- FROM_CHANGELOG with op and op_mapping, and what Flink refuses.
CREATE VIEW nulls AS SELECT * FROM (VALUES ('c', 1), (CAST(NULL AS STRING), 2)) AS t(op, v);
SELECT * FROM FROM_CHANGELOG(input => TABLE nulls, op_mapping => MAP['c', 'INSERT']);
