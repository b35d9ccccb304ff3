-- Rides, live, in one process: this file writes the topic `rides`, pipeline.sql reads it and writes `rides-enriched`.
--   mainstem up examples/rides/pipeline.sql examples/rides/live.sql \
--     --var SOURCE=kafka --var SINK=kafka --kafka-set num.partitions=3

INSERT INTO rides_kafka
SELECT * FROM rides_generated
/*+ OPTIONS('rows-per-second' = '${RATE:-100}', 'number-of-rows' = '${ROWS:-1000000000}') */;
