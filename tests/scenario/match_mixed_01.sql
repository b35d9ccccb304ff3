CREATE TABLE ticks (id INT, symbol STRING, price INT, a BOOLEAN, b BOOLEAN, c BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/ticks.json', 'format' = 'json');
SELECT * FROM ticks MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY ts, price DESC, id
  MEASURES FIRST(id) AS f, LAST(id) AS l, COUNT(V0.id) AS n0, COUNT(V1.id) AS n1, COUNT(V2.id) AS n2, LAST(V2.price) AS p, SUM(V0.price) AS s, FIRST(V1.id, 1) AS g
  AFTER MATCH SKIP TO LAST V2
  PATTERN (V0{2,}? V1*? V2+?) WITHIN INTERVAL '12' SECOND
  DEFINE V0 AS (price < 7) AND (NOT V0.b), V1 AS (V1.price > FIRST(price)), V2 AS (V2.price < SUM(V0.price))
) AS m;
