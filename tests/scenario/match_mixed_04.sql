CREATE TABLE ticks (id INT, symbol STRING, price INT, a BOOLEAN, b BOOLEAN, c BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/ticks.json', 'format' = 'json');
SELECT * FROM ticks MATCH_RECOGNIZE (
  ORDER BY ts
  MEASURES FIRST(id) AS f, LAST(id) AS l, COUNT(V0.id) AS n0, COUNT(V1.id) AS n1, COUNT(V2.id) AS n2, COUNT(V3.id) AS n3, LAST(V3.price) AS p, SUM(V0.price) AS s, FIRST(V2.id, 1) AS g
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (V0*? V1+? V2* V3{2,}?) WITHIN INTERVAL '12' SECOND
  DEFINE V0 AS (price <> LAST(price, 1)) AND (V0.a), V1 AS (SUM(V1.price) < 17), V2 AS (V2.price > 6) AND (V2.price > FIRST(price)), V3 AS (V3.price >= LAST(V3.price, 1) OR LAST(V3.price, 1) IS NULL)
) AS m;
