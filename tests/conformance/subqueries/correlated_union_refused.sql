-- Sub-queries: not correlated over a UNION.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT order_id FROM Orders AS o WHERE EXISTS (SELECT 1 FROM Customers AS c WHERE c.name = o.customer UNION ALL SELECT 1 FROM Customers AS c WHERE c.credit = o.amount);
