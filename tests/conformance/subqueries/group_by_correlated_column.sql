-- Sub-queries: a correlated key of GROUP BY is a column, too.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT (SELECT MAX(credit) FROM Customers AS c WHERE c.name = o.customer) AS k, COUNT(*) AS n FROM Orders AS o GROUP BY (SELECT MAX(credit) FROM Customers AS c WHERE c.name = o.customer);
