-- Joins: a table with itself.
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT a.name AS x, b.name AS y FROM Customers AS a JOIN Customers AS b ON a.city = b.city AND a.credit < b.credit;
