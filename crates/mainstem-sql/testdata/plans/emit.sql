CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
SET 'table.exec.emit.early-fire.enabled' = 'true';
SET 'table.exec.emit.early-fire.delay' = '5 s';
SET 'table.exec.emit.allow-lateness' = '1 min';
SELECT auction, HOP_END(ts, INTERVAL '1' SECOND, INTERVAL '5' SECOND) AS e, SUM(quantity) AS q FROM bids GROUP BY auction, HOP(ts, INTERVAL '1' SECOND, INTERVAL '5' SECOND);
