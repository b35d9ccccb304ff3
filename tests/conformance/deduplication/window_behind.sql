-- Deduplication: keep-first by event time stays append-only, so it can be windowed.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE VIEW firsts AS SELECT product, order_id, order_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY product ORDER BY order_time ASC) AS rn FROM Orders) WHERE rn = 1;
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE firsts, DESCRIPTOR(order_time), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;
