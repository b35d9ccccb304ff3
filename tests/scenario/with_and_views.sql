CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
CREATE VIEW big AS SELECT auction, price FROM bids WHERE price > 20;
WITH top AS (SELECT auction, MAX(price) AS m FROM big GROUP BY auction) SELECT auction, m FROM top WHERE m > 50;
