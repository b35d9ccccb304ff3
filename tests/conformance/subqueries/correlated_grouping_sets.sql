-- Sub-queries: correlated over GROUPING SETS of a table that changes.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT order_id FROM Orders AS o WHERE EXISTS (SELECT branch, SUM(balance) AS b FROM Accounts AS a WHERE a.owner = o.customer GROUP BY GROUPING SETS ((branch), (balance)) HAVING SUM(balance) > 20);
