-- Functions: LIKE with ESCAPE.
SELECT a, a LIKE '10!%' ESCAPE '!' AS e, a LIKE '1_%' AS u FROM (VALUES ('10%'), ('100'), ('1')) AS t (a);
