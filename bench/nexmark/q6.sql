-- Query 6: the average price of each seller's last eleven auctions, by the time of the winning bid. Flink refuses OVER
-- over rows that change.
CREATE TABLE nexmark_q6 (seller BIGINT, avg_price BIGINT) WITH (${SINK});

INSERT INTO nexmark_q6
SELECT
  Q.seller,
  AVG(Q.final) OVER (PARTITION BY Q.seller ORDER BY Q.`dateTime` ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg_price
FROM (
  SELECT seller, price AS final, bid_dateTime AS `dateTime`
  FROM (
    SELECT
      A.seller, B.price, B.`dateTime` AS bid_dateTime,
      ROW_NUMBER() OVER (PARTITION BY A.id ORDER BY B.price DESC, B.`dateTime` ASC) AS rownum
    FROM auction AS A
    JOIN bid AS B ON A.id = B.auction
    WHERE B.`dateTime` BETWEEN A.`dateTime` AND A.expires
  )
  WHERE rownum <= 1
) AS Q;
