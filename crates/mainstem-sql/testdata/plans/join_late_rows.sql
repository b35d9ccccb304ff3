SET 'mainstem.join.late-rows' = 'ignore';
CREATE TABLE auctions (id INT, opens TIMESTAMP(3), expires TIMESTAMP(3), WATERMARK FOR opens AS opens - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE bids (auction INT, price INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
SELECT a.id, b.price FROM auctions AS a JOIN bids AS b ON a.id = b.auction AND b.ts BETWEEN a.opens AND a.expires;
SELECT a.id, b.price FROM auctions AS a JOIN bids AS b ON a.id = b.auction AND b.ts < a.expires + INTERVAL '5' SECOND;
SELECT a.id, b.price FROM auctions AS a LEFT JOIN bids AS b ON a.id = b.auction AND b.ts BETWEEN a.opens AND a.expires;
