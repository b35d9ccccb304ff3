CREATE TABLE bids (auction INT, quantity INT, ts STRING, t AS TO_TIMESTAMP_LTZ(1704067200000 + COALESCE(quantity, 0) * 1000 + auction, 3),
  WATERMARK FOR t AS t - INTERVAL '60' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, t, COUNT(*) OVER (PARTITION BY auction ORDER BY t) AS n, SUM(quantity) OVER (PARTITION BY auction ORDER BY t) AS s FROM bids WHERE quantity IS NOT NULL;
