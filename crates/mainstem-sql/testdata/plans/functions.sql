CREATE TABLE orders (id BIGINT NOT NULL, customer STRING, total DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE TABLE customers (name STRING, country STRING, since INT NOT NULL) WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE FUNCTION gross(net DOUBLE, rate DOUBLE) RETURNS DOUBLE LANGUAGE SQL RETURN net * (1 + COALESCE(rate, 0.19e0));
CREATE OR REPLACE TEMPORARY FUNCTION label(name STRING, n BIGINT) RETURN UPPER(name) || '-' || CAST(n AS STRING);
CREATE FUNCTION IF NOT EXISTS label(x INT) RETURN x;
CREATE FUNCTION both(name STRING, net DOUBLE) RETURN label(name, CAST(gross(net, NULL) AS BIGINT));
EXPLAIN SELECT gross(total, 0.2e0) AS g, Label(customer, id) AS l, both(customer, total) AS b FROM orders WHERE gross(total, 0e0) > 5;
EXPLAIN SELECT customer, SUM(gross(total, 0.5e0)) AS g FROM orders GROUP BY customer;
DROP FUNCTION both;
DROP TEMPORARY FUNCTION IF EXISTS both;
