-- Group aggregation: without keys and rows there is still a row... once Flink has seen one: here it sees none.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT COUNT(*) AS n, SUM(amount) AS s FROM Orders WHERE order_id < 0;
