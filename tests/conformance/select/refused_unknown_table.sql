-- SELECT: an unknown table is refused.
SELECT * FROM Nowhere;
