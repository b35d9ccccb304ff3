-- Sums of the visits of users in a window that stays open; behind visits.sql.
CREATE TABLE summed (id STRING, n BIGINT, s BIGINT, lo BIGINT, hi BIGINT, a BIGINT) WITH ('connector' = 'blackhole');

INSERT INTO summed
SELECT id, COUNT(*), SUM(v), MIN(v), MAX(v), AVG(v)
FROM TABLE(TUMBLE(TABLE visits, DESCRIPTOR(ts), INTERVAL '1' DAY))
GROUP BY id, window_start, window_end;
