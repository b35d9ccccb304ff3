-- Time attributes: UNION ALL of two streams keeps it.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Bid (bidtime TIMESTAMP(3), price DECIMAL(10, 2), item STRING, supplier_id STRING,
  WATERMARK FOR bidtime AS bidtime - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/bid.json', 'format' = 'json');
CREATE VIEW both_streams AS SELECT order_time AS t, 'o' AS what FROM Orders UNION ALL SELECT bidtime, 'b' FROM Bid;
SELECT window_start, what, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE both_streams, DESCRIPTOR(t), INTERVAL '10' MINUTES)) GROUP BY window_start, window_end, what;
