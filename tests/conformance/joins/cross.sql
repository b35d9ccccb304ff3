-- Joins: CROSS with a small table.
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT c.name, t.x FROM Customers AS c CROSS JOIN (VALUES (1), (2)) AS t (x);
