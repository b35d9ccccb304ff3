-- Group aggregation: CUBE, the example of the documentation.
SELECT supplier_id, rating, product_id, COUNT(*) AS total
FROM (VALUES ('supplier1', 'product1', 4), ('supplier1', 'product2', 3), ('supplier2', 'product3', 3), ('supplier2', 'product4', 4)) AS Products (supplier_id, product_id, rating)
GROUP BY CUBE (supplier_id, rating, product_id);
