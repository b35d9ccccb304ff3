SELECT a, b, c FROM (VALUES (1 + 1, UPPER('x'), CAST('2020-01-01' AS DATE)), (CHAR_LENGTH('abc') * 2, 'y' || 'z', DATE '2021-02-03')) AS t (a, b, c);
