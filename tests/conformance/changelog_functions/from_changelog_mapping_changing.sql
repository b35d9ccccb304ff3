-- FROM_CHANGELOG with op and op_mapping, and what Flink refuses.
CREATE VIEW cdc AS SELECT * FROM (VALUES (1, 'c', 'a', 1), (2, 'r', 'b', 1), (1, 'ub', 'a', 1), (1, 'u', 'c', 2), (2, 'd', 'b', 1)) AS t(id, __op, name, v);
SELECT * FROM FROM_CHANGELOG(input => (SELECT __op, COUNT(*) AS n FROM cdc GROUP BY __op), op => DESCRIPTOR(__op), op_mapping => MAP['c,r,u', 'INSERT', 'd,ub', 'DELETE']);
