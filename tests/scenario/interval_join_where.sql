CREATE TABLE orders (id INT, currency STRING, item STRING, quantity INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/orders.json', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '6' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/shipments.json', 'format' = 'json');
SELECT o.id, s.carrier, s.ts FROM orders AS o, shipments AS s WHERE o.id = s.order_id AND s.ts > o.ts AND s.ts <= o.ts + INTERVAL '5' SECOND AND s.carrier = 'ups';
