CREATE TABLE orders (id BIGINT NOT NULL, customer STRING, total DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE TABLE customers (name STRING, country STRING, since INT NOT NULL) WITH ('connector' = 'filesystem', 'format' = 'json');
EXPLAIN SELECT customer FROM orders INTERSECT SELECT name FROM customers;
EXPLAIN SELECT customer FROM orders EXCEPT ALL SELECT name FROM customers;
EXPLAIN SELECT customer, total > 5 AS big, COUNT(*) AS n, GROUPING(customer) AS g FROM orders GROUP BY ROLLUP (customer, total > 5);
EXPLAIN SELECT window_start, customer, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, CUBE (customer);
EXPLAIN SELECT customer FROM orders ORDER BY total * 2 DESC;
EXPLAIN SELECT customer FROM orders GROUP BY customer ORDER BY COUNT(*);
EXPLAIN VALUES (1, CURRENT_TIMESTAMP), (2, NULL);
