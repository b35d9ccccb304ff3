-- Query 4: the average closing price of each category: the highest bid of each auction while it was open.
CREATE TABLE nexmark_q4 (category BIGINT, avg_final BIGINT) WITH (${SINK});

INSERT INTO nexmark_q4
SELECT category, AVG(final) AS avg_final
FROM (
  SELECT A.id, A.category, MAX(B.price) AS final
  FROM auction AS A, bid AS B
  WHERE A.id = B.auction AND B.`dateTime` BETWEEN A.`dateTime` AND A.expires
  GROUP BY A.id, A.category
)
GROUP BY category;
