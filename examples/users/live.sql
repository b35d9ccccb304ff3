-- Users, live, in one process: this file writes the topic `users`, pipeline.sql reads it and writes `users-flat`.
--   mainstem up examples/users/pipeline.sql examples/users/live.sql --var SOURCE=kafka --var SINK=kafka

-- The whole messages; users_kafka declares only what is read of them.
CREATE TABLE users_topic WITH (
  'connector' = 'kafka',
  'topic' = '${TOPIC:-users}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'format' = 'json'
) LIKE users_generated (EXCLUDING OPTIONS);

INSERT INTO users_topic
SELECT * FROM users_generated
/*+ OPTIONS('rows-per-second' = '${RATE:-100}', 'number-of-rows' = '${ROWS:-1000000000}') */;
