-- Aggregate functions: standard deviations and variances.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT k, STDDEV_POP(d) AS sp, STDDEV_SAMP(d) AS ss, STDDEV(d) AS sd, VAR_POP(d) AS vp, VAR_SAMP(d) AS vs, VARIANCE(d) AS v FROM Numbers GROUP BY k;
