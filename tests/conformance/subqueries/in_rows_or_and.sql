-- Sub-queries: IN of two columns, twice, under AND and OR.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT order_id FROM Orders WHERE (amount > 1 AND (customer, product) IN (SELECT name, 'tea' FROM Customers)) OR (order_id, amount) IN (SELECT CAST(credit AS BIGINT), credit FROM Customers);
