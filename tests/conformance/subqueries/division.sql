-- Sub-queries: NOT EXISTS in NOT EXISTS, both correlated with the outermost query.
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT DISTINCT o.customer FROM Orders AS o WHERE NOT EXISTS (SELECT 1 FROM (SELECT DISTINCT product FROM Orders WHERE amount > 3) AS p WHERE NOT EXISTS (SELECT 1 FROM Orders AS q WHERE q.product = p.product AND q.customer = o.customer));
