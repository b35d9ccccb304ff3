-- FROM_CHANGELOG: rows with an operation become a table that changes. Documentation: queries/changelog.
CREATE VIEW cdc AS SELECT * FROM (VALUES (1, 'INSERT', 'a', 1), (2, 'INSERT', 'b', 1), (1, 'UPDATE_BEFORE', 'a', 1), (1, 'UPDATE_AFTER', 'c', 2), (3, 'INSERT', CAST(NULL AS STRING), 5), (2, 'DELETE', 'b', 1)) AS t(id, op, name, v);
SELECT name, SUM(v), COUNT(*) FROM FROM_CHANGELOG(input => TABLE cdc) GROUP BY name;
