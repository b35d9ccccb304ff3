-- Sums of the visits of users in windows that overlap, of 960,000 events each; behind visits.sql.
CREATE TABLE summed (id STRING, n BIGINT, s BIGINT, lo BIGINT, hi BIGINT, a BIGINT) WITH ('connector' = 'blackhole');

INSERT INTO summed
SELECT id, COUNT(*), SUM(v), MIN(v), MAX(v), AVG(v)
FROM TABLE(HOP(TABLE visits, DESCRIPTOR(ts), INTERVAL '4' MINUTE, INTERVAL '16' MINUTE))
GROUP BY id, window_start, window_end;
