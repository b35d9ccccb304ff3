CREATE TABLE orders (id INT, currency STRING, quantity INT, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '6' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE rates (currency STRING, rate INT, note STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (currency) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'format' = 'json');
CREATE TABLE appended (currency STRING, rate INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE countries (code STRING, name STRING) WITH ('connector' = 'filesystem', 'format' = 'json');
SELECT o.id, s.carrier FROM orders AS o LEFT JOIN shipments AS s ON o.id = s.order_id AND s.ts BETWEEN o.ts AND o.ts + INTERVAL '5' SECOND AND s.carrier <> 'x';
SELECT o.id, s.carrier FROM orders AS o, shipments AS s WHERE o.id = s.order_id AND o.ts > s.ts - INTERVAL '1' MINUTE AND o.ts - INTERVAL '1' SECOND <= s.ts AND o.quantity > 3;
SELECT o.id, s.carrier FROM orders AS o JOIN shipments AS s ON o.id = s.order_id AND o.at BETWEEN s.at - INTERVAL '1' MINUTE AND s.at;
SELECT o.id, s.carrier FROM orders AS o JOIN shipments AS s ON o.id = s.order_id AND s.ts > o.ts;
SELECT COUNT(*) AS n, window_start FROM TABLE(TUMBLE((SELECT o.ts FROM orders AS o JOIN shipments AS s ON o.id = s.order_id AND s.ts = o.ts + INTERVAL '1' SECOND), DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
