CREATE TABLE ticks (id INT, symbol STRING, price INT, a BOOLEAN, b BOOLEAN, c BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/ticks.json', 'format' = 'json');
SELECT * FROM ticks MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY ts, id
  MEASURES FIRST(id) AS f, LAST(id) AS l, COUNT(V0.id) AS n0, COUNT(V1.id) AS n1, COUNT(V2.id) AS n2, COUNT(V3.id) AS n3, COUNT(V4.id) AS n4, LAST(V4.price) AS p, SUM(V0.price) AS s, FIRST(V2.id, 1) AS g
  AFTER MATCH SKIP TO FIRST V3
  PATTERN (V0{1,3} V1 V2*? V3 V4{2,}?) WITHIN INTERVAL '12' SECOND
  DEFINE V0 AS (V0.b), V1 AS (V1.price < FIRST(V0.price)), V3 AS (AVG(V3.price) > 2)
) AS m;
