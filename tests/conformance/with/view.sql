-- WITH and a view: a view is read like a table.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE VIEW teas AS SELECT order_id, amount FROM Orders WHERE product = 'tea';
WITH t AS (SELECT * FROM teas) SELECT SUM(amount) AS s FROM t;
