CREATE TABLE k (v INT, w INT, d AS v * 2, e AS w + 1) WITH ('connector' = 'kafka', 'format' = 'json');
SELECT d FROM k WHERE v + w > 3 AND e < 7;
