-- Data types: NOT NULL of a table's column.
CREATE TABLE Orders (order_id BIGINT NOT NULL, product STRING)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, MAX(order_id + 1) AS m, COUNT(product) AS n FROM Orders GROUP BY order_id;
