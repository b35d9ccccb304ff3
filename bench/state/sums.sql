-- Sums of users, each user as often as Zipf's law with exponent 1 says. Flink reads the same text.
SET 'parallelism.default' = '${WORKERS}';
-- Flink has no such setting and leaves it alone; it is told its own.
SET 'state.memory' = '${MEMORY}';

CREATE TABLE events (u DOUBLE, v BIGINT) WITH (
  'connector' = 'datagen', 'rows-per-second' = '1000000000', 'number-of-rows' = '${EVENTS}', 'fields.u.min' = '0', 'fields.u.max' = '1'
);
CREATE TABLE summed (id STRING, n BIGINT, s BIGINT, lo BIGINT, hi BIGINT, a BIGINT) WITH ('connector' = 'blackhole');

-- The exponential of evenly spread numbers has the density 1/x. The factor puts users that come often far from each other.
INSERT INTO summed
SELECT id, COUNT(*), SUM(v), MIN(v), MAX(v), AVG(v)
FROM (SELECT 'user ' || CAST(MOD(CAST(EXP(u * LN(${USERS})) AS BIGINT) * 2654435761, ${USERS}) AS STRING) AS id, v FROM events) AS e
GROUP BY id;
