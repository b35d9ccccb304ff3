-- Query 5: the auctions with the most bids of the last ten seconds, every two seconds.
CREATE TABLE nexmark_q5 (auction BIGINT, num BIGINT) WITH (${SINK});

CREATE VIEW counted AS
SELECT auction, COUNT(*) AS num, window_start AS starttime, window_end AS endtime
FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;

INSERT INTO nexmark_q5
SELECT counted.auction, counted.num
FROM counted
JOIN (SELECT MAX(num) AS maxn, starttime, endtime FROM counted GROUP BY starttime, endtime) AS most
  ON counted.starttime = most.starttime AND counted.endtime = most.endtime AND counted.num >= most.maxn;
