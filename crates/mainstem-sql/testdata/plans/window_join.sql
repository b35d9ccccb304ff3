CREATE TABLE orders (id INT, currency STRING, quantity INT, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '6' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE rates (currency STRING, rate INT, note STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (currency) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'format' = 'json');
CREATE TABLE appended (currency STRING, rate INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE countries (code STRING, name STRING) WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE VIEW l AS SELECT * FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND));
CREATE VIEW r AS SELECT * FROM TABLE(TUMBLE(TABLE shipments, DESCRIPTOR(ts), INTERVAL '10' SECOND));
SELECT l.id, r.carrier FROM l FULL JOIN r ON l.id = r.order_id AND l.window_start = r.window_start AND l.window_end = r.window_end AND l.quantity > 1;
SELECT l.window_start, COUNT(*) AS n FROM l, r WHERE l.window_start = r.window_start AND l.window_end = r.window_end GROUP BY l.window_start, l.window_end;
SELECT id FROM l WHERE NOT EXISTS (SELECT * FROM r WHERE r.order_id = l.id AND l.window_start = r.window_start AND l.window_end = r.window_end);
SELECT l.id FROM l JOIN r ON l.id = r.order_id AND l.window_start = r.window_start;
SELECT * FROM (SELECT id, currency FROM orders) NATURAL JOIN (SELECT currency, rate FROM rates);
