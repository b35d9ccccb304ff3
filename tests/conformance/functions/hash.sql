-- Functions: hashes.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT s, MD5(s) AS m, SHA1(s) AS s1, SHA256(s) AS s2 FROM Numbers WHERE k = 1;
