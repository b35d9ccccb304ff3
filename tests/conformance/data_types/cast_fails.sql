-- Data types: a CAST that fails ends the query.
SELECT CAST(a AS INT) AS i FROM (VALUES ('1'), ('x')) AS t (a);
