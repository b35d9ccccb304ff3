-- TO_CHANGELOG over rows that only come and over one that changes; what Flink refuses. Between the steps of a result
SELECT * FROM TO_CHANGELOG(input => TABLE nosuch);
