-- Events of users, each user as often as Zipf's law with exponent 1 says, joined with what is known of them. Flink reads the same text.
SET 'parallelism.default' = '${WORKERS}';
-- Flink has no such setting and leaves it alone; it is told its own.
SET 'state.memory' = '${MEMORY}';

CREATE TABLE users (id BIGINT, a STRING, b STRING) WITH (
  'connector' = 'datagen', 'rows-per-second' = '1000000000', 'number-of-rows' = '${USERS}',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '${LAST}',
  'fields.a.length' = '100', 'fields.b.length' = '100'
);
CREATE TABLE events (u DOUBLE, v BIGINT) WITH (
  'connector' = 'datagen', 'rows-per-second' = '1000000000', 'number-of-rows' = '${EVENTS}', 'fields.u.min' = '0', 'fields.u.max' = '1'
);
CREATE TABLE joined (id BIGINT, v BIGINT, a STRING, b STRING) WITH ('connector' = 'blackhole');

-- The exponential of evenly spread numbers has the density 1/x. The factor puts users that are asked for often far from each other.
INSERT INTO joined
SELECT e.id, e.v, u.a, u.b
FROM (SELECT MOD(CAST(EXP(u * LN(${USERS})) AS BIGINT) * 2654435761, ${USERS}) AS id, v FROM events) AS e
JOIN users AS u ON e.id = u.id;
