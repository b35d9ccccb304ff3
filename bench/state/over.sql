-- Of each event the sum of the last five of its user, each user as often as Zipf's law with exponent 1 says. Flink reads the same text.
SET 'parallelism.default' = '${WORKERS}';
-- Flink has no such setting and leaves it alone; it is told its own.
SET 'state.memory' = '${MEMORY}';

CREATE TABLE events (
  n BIGINT, u DOUBLE, v BIGINT, at AS TO_TIMESTAMP_LTZ(n, 3), WATERMARK FOR at AS at
) WITH (
  'connector' = 'datagen', 'rows-per-second' = '1000000000',
  'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '${EVENTS}', 'fields.u.min' = '0', 'fields.u.max' = '1'
);
CREATE TABLE last_sums (id STRING, v BIGINT, s BIGINT) WITH ('connector' = 'blackhole');

-- The exponential of evenly spread numbers has the density 1/x. The factor puts users that come often far from each other.
CREATE VIEW visits AS
SELECT 'user ' || CAST(MOD(CAST(EXP(u * LN(${USERS})) AS BIGINT) * 2654435761, ${USERS}) AS STRING) AS id, v, at FROM events;

INSERT INTO last_sums
SELECT id, v, SUM(v) OVER (PARTITION BY id ORDER BY at ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) FROM visits;
