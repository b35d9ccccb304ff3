SELECT a, CHAR_LENGTH(a) AS n FROM (VALUES ('a'), ('bcd'), (CAST(NULL AS STRING)), ('ef' || 'gh')) AS t (a);
