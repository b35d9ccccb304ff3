-- Deduplication: the first row of each key by processing time, the example of the documentation.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3), pt AS PROCTIME())
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, customer, product FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY product ORDER BY pt ASC) AS row_num FROM Orders) WHERE row_num = 1;
