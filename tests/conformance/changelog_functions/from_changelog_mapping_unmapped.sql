-- FROM_CHANGELOG with op and op_mapping, and what Flink refuses.
CREATE VIEW cdc AS SELECT * FROM (VALUES (1, 'c', 'a', 1), (2, 'r', 'b', 1), (1, 'ub', 'a', 1), (1, 'u', 'c', 2), (2, 'd', 'b', 1)) AS t(id, __op, name, v);
SELECT * FROM FROM_CHANGELOG(input => TABLE cdc, op => DESCRIPTOR(__op), op_mapping => MAP['c', 'INSERT']);
