-- The bids of Nexmark as a table of their own: other events are counted but never made.
SET 'parallelism.default' = '${WORKERS}';

CREATE TABLE bid (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  channel VARCHAR,
  url VARCHAR,
  `dateTime` TIMESTAMP(3),
  extra VARCHAR,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH ('connector' = 'nexmark', 'nexmark.table' = 'bid', 'events.num' = '${EVENTS}');

CREATE VIEW parts AS
SELECT MOD(bidder, 10) AS part, price, `dateTime` FROM bid;
