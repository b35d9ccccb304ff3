CREATE TABLE bids (auction INT, bidder STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
-- When a watermark comes is a matter of timing: only what holds at any time.
SELECT COUNT(*) AS n FROM bids WHERE CURRENT_WATERMARK(ts) IS NULL OR CURRENT_WATERMARK(ts) >= TIMESTAMP '2023-12-31 00:00:00';
