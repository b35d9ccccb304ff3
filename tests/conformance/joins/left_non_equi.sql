-- Joins: LEFT without an equal key.
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT a.name AS x, a.credit, b.name AS y FROM Customers AS a LEFT JOIN Customers AS b ON a.credit > b.credit + 40;
