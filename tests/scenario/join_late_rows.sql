-- Flink leaves the setting alone; no row that has a partner is late here.
SET 'mainstem.join.late-rows' = 'ignore';
CREATE TABLE orders (id INT, currency STRING, item STRING, quantity INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/orders.json', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '6' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/shipments.json', 'format' = 'json');
SELECT o.id, o.ts AS ordered, s.carrier, s.ts AS shipped FROM orders AS o JOIN shipments AS s ON o.id = s.order_id AND s.ts >= o.ts AND s.carrier <> 'nobody';
