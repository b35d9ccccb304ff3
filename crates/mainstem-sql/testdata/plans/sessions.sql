CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
SELECT window_start, window_end, auction, COUNT(*) AS n FROM TABLE(SESSION(TABLE bids PARTITION BY auction, DESCRIPTOR(ts), INTERVAL '2' SECOND)) WHERE auction > 3 GROUP BY window_start, window_end, auction;
SELECT window_start, window_end, bidder, COUNT(*) AS n FROM TABLE(SESSION(TABLE bids PARTITION BY auction, DESCRIPTOR(ts), INTERVAL '2' SECOND)) WHERE auction > 3 AND price > 1 GROUP BY window_start, window_end, bidder;
SELECT auction, bidder, window_end FROM TABLE(SESSION(TABLE bids PARTITION BY (auction, bidder), DESCRIPTOR(at), INTERVAL '2' SECOND));
SELECT bidder, SESSION_START(ts, INTERVAL '5' SECOND) AS s, STDDEV_POP(price) AS d FROM bids GROUP BY bidder, SESSION(ts, INTERVAL '5' SECOND);
SELECT SESSION_PROCTIME(at, INTERVAL '5' SECOND) AS s, COUNT(*) AS n FROM bids GROUP BY SESSION(at, INTERVAL '5' SECOND);
