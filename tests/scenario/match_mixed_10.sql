CREATE TABLE ticks (id INT, symbol STRING, price INT, a BOOLEAN, b BOOLEAN, c BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/ticks.json', 'format' = 'json');
SELECT * FROM ticks MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY ts
  MEASURES FIRST(id) AS f, LAST(id) AS l, COUNT(V0.id) AS n0, COUNT(V1.id) AS n1, COUNT(V2.id) AS n2, COUNT(V3.id) AS n3, LAST(V3.price) AS p, SUM(V0.price) AS s, FIRST(V2.id, 1) AS g
  AFTER MATCH SKIP TO NEXT ROW
  PATTERN (V0{1,3}? V1*? V2{1,3}? V3{1,3}?) WITHIN INTERVAL '12' SECOND
  DEFINE V0 AS (V0.price > FIRST(price)) OR (SUM(V0.price) < 24), V1 AS (V1.c), V2 AS (V2.price < SUM(V1.price)) AND (AVG(V2.price) > 3), V3 AS (V3.price > 1)
) AS m;
