-- Nexmark's query 4 between topics of the embedded broker, for the time that one record takes.
CREATE TABLE auction (id BIGINT, category BIGINT, opens TIMESTAMP(3), expires TIMESTAMP(3))
WITH ('connector' = 'kafka', 'topic' = 'auction', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');

CREATE TABLE bid (auction BIGINT, price BIGINT, at_time TIMESTAMP(3))
WITH ('connector' = 'kafka', 'topic' = 'bid', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');

CREATE TABLE averages (category BIGINT, average BIGINT, PRIMARY KEY (category) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'topic' = 'averages', 'key.format' = 'json', 'value.format' = 'json');

INSERT INTO averages
SELECT category, AVG(final) AS average
FROM (
  SELECT A.id, A.category, MAX(B.price) AS final
  FROM auction AS A, bid AS B
  WHERE A.id = B.auction AND B.at_time BETWEEN A.opens AND A.expires
  GROUP BY A.id, A.category
)
GROUP BY category;
