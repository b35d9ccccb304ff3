-- Data types: BINARY and VARBINARY.
SELECT CAST(x'6162' AS STRING) AS a, CAST(x'0aff' AS BINARY(4)) = x'0aff0000' AS b, CAST('ab' AS VARBINARY(1)) = x'61' AS c, DECODE(ENCODE('ä', 'UTF-8'), 'UTF-8') AS d, x'01' < x'0100' AS e;
