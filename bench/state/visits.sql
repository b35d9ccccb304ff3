-- The users of events, each as often as Zipf's law with exponent 1 says. Flink reads the same text.
SET 'parallelism.default' = '${WORKERS}';
-- Flink has no such setting and leaves it alone; it is told its own.
SET 'state.memory' = '${MEMORY}';

CREATE TABLE events (
  n BIGINT, u DOUBLE, v BIGINT, ts AS TO_TIMESTAMP_LTZ(n, 3), WATERMARK FOR ts AS ts
) WITH (
  'connector' = 'datagen', 'rows-per-second' = '1000000000',
  'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '${EVENTS}', 'fields.u.min' = '0', 'fields.u.max' = '1'
);

-- The exponential of evenly spread numbers has the density 1/x. The factor puts users that come often far from each other.
CREATE VIEW visits AS
SELECT 'user ' || CAST(MOD(CAST(EXP(u * LN(${USERS})) AS BIGINT) * 2654435761, ${USERS}) AS STRING) AS id, v, ts FROM events;
