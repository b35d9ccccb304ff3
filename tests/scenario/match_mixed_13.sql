CREATE TABLE ticks (id INT, symbol STRING, price INT, a BOOLEAN, b BOOLEAN, c BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/ticks.json', 'format' = 'json');
SELECT * FROM ticks MATCH_RECOGNIZE (
  ORDER BY ts
  MEASURES FIRST(id) AS f, LAST(id) AS l, COUNT(V0.id) AS n0, COUNT(V1.id) AS n1, COUNT(V2.id) AS n2, COUNT(V3.id) AS n3, COUNT(V4.id) AS n4, LAST(V4.price) AS p, SUM(V0.price) AS s, FIRST(V2.id, 1) AS g
  AFTER MATCH SKIP TO NEXT ROW
  PATTERN (V0+ V1 V2{2,}? V3{2,} V4{1,3}?) WITHIN INTERVAL '12' SECOND
  DEFINE V0 AS (V0.price >= LAST(V0.price, 1) OR LAST(V0.price, 1) IS NULL), V1 AS (AVG(V1.price) > 5), V3 AS (V3.price < SUM(V0.price)), V4 AS (V4.c)
) AS m;
