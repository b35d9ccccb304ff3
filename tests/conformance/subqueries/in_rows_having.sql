-- Sub-queries: IN of a column and a count in HAVING, under OR.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT customer, COUNT(*) AS n FROM Orders GROUP BY customer HAVING (customer, COUNT(*)) IN (SELECT name, CAST(2 AS BIGINT) FROM Customers) OR COUNT(*) = 1;
