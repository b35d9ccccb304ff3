WITH a (p, q) AS (VALUES (1, 'x'), (2, 'y')) SELECT q, p FROM a;
