-- Joins: LEFT JOIN LATERAL of a changing table with a condition.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT o.order_id, t.branch FROM Orders AS o LEFT JOIN LATERAL (SELECT branch, balance FROM Accounts AS a WHERE a.owner = o.customer) AS t ON t.balance > 50 AND o.product = 'tea';
