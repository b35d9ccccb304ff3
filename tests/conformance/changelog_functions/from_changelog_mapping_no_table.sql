-- FROM_CHANGELOG with op and op_mapping, and what Flink refuses.
SELECT * FROM FROM_CHANGELOG(op => DESCRIPTOR(__op));
