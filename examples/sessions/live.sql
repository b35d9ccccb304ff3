-- Sessions, live, in one process: this file writes the topic `sessions`, pipeline.sql reads it and writes PostgreSQL, or
-- without one the topic `streaming_layer.streaming_data`, which keeps the last record of each session.
--   mainstem up examples/sessions/pipeline.sql examples/sessions/live.sql --var SOURCE=kafka --var SINK=kafka
--   ... --var SINK=postgres --var POSTGRES=jdbc:postgresql://localhost:5432/mainstem

INSERT INTO sessions_kafka
SELECT * FROM sessions_generated
/*+ OPTIONS('rows-per-second' = '${RATE:-100}', 'number-of-rows' = '${ROWS:-1000000000}') */;
