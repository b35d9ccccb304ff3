-- Transactions, live, in one process: this file writes the topic `transactions`, one a millisecond, as their event times
-- say; pipeline.sql reads it and writes a row of `paid-totals` every three seconds.
--   mainstem up examples/transactions/pipeline.sql examples/transactions/live.sql --var SOURCE=kafka --var SINK=kafka

INSERT INTO transactions_kafka
SELECT * FROM transactions_generated
/*+ OPTIONS('rows-per-second' = '${RATE:-1000}', 'number-of-rows' = '${ROWS:-1000000000}') */;
