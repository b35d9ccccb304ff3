-- Of each visit the sum of the last five of its user; behind visits.sql.
CREATE TABLE last_sums (id STRING, v BIGINT, s BIGINT) WITH ('connector' = 'blackhole');

INSERT INTO last_sums
SELECT id, v, SUM(v) OVER (PARTITION BY id ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) FROM visits;
