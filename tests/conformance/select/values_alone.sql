-- SELECT: VALUES is a query.
VALUES (1, 'a'), (2, 'b'), (2, 'b');
