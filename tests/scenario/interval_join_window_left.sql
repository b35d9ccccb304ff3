CREATE TABLE orders (id INT, currency STRING, item STRING, quantity INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/orders.json', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '6' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/shipments.json', 'format' = 'json');
SELECT window_start, COUNT(*) AS n, COUNT(carrier) AS c FROM TABLE(TUMBLE((SELECT o.ts AS ots, s.carrier FROM orders AS o LEFT JOIN shipments AS s ON o.id = s.order_id AND s.ts BETWEEN o.ts AND o.ts + INTERVAL '5' SECOND), DESCRIPTOR(ots), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;
