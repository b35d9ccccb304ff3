CREATE TABLE k (v INT, d AS v * 2, p AS PROCTIME(), off BIGINT METADATA FROM 'offset' VIRTUAL) WITH ('connector' = 'kafka', 'format' = 'json', 'password' = 'x');
SHOW CREATE TABLE k;
DESCRIBE k;
SELECT d, off FROM k;
SELECT window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE k, DESCRIPTOR(p), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;
