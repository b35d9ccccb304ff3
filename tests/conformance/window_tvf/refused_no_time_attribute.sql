-- Windowing TVF: the descriptor must name a time attribute.
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT * FROM TABLE(TUMBLE(TABLE Customers, DESCRIPTOR(since), INTERVAL '1' DAY));
