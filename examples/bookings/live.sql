-- Bookings, live, in one process: this file writes the topic `bookings`, pipeline.sql reads it and writes three others.
--   mainstem up examples/bookings/pipeline.sql examples/bookings/live.sql --var SOURCE=kafka --var SINK=kafka

INSERT INTO bookings_kafka
SELECT * FROM bookings_generated
/*+ OPTIONS('rows-per-second' = '${RATE:-100}', 'number-of-rows' = '${ROWS:-1000000000}') */;
