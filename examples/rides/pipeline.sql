-- Rides: drop rides without a price, convert miles and dollars, flag dynamic fares.
-- Everything generated and printed:   mainstem run examples/rides/pipeline.sql
-- From and to Kafka:                  --var SOURCE=kafka --var SINK=kafka --var BOOTSTRAP=localhost:9092
-- The same without a Kafka:           mainstem up, with live.sql beside: see there

CREATE TABLE rides_generated (
  user_id INT,
  vehicle_id INT,
  time_stamp BIGINT,
  source STRING,
  destination STRING,
  distance DOUBLE,
  price DOUBLE,
  surge_multiplier DOUBLE,
  id STRING,
  product_id STRING,
  name STRING,
  cab_type STRING,
  dt_current_timestamp TIMESTAMP(3),
  cpf STRING
) WITH (
  'connector' = 'faker',
  'number-of-rows' = '${ROWS:-1000}',
  'locale' = 'pt_BR',
  'fields.user_id.expression' = '#{number.numberBetween ''1'',''10001''}',
  'fields.vehicle_id.expression' = '#{number.numberBetween ''1'',''5001''}',
  'fields.time_stamp.expression' = '#{sequence.number ''1767225600000'',''40''}',
  'fields.source.expression' = '#{Address.streetName}',
  'fields.destination.expression' = '#{Address.streetName}',
  'fields.distance.expression' = '#{number.randomDouble ''2'',''0.1'',''12''}',
  'fields.price.expression' = '#{regexify ''(0\.0|[5-9]\.[05]|[5-9]\.[05]|1[0-9]\.[05]|1[0-9]\.[05]|1[0-9]\.[05]|2[0-9]\.[05]|2[0-9]\.[05]|3[0-9]\.[05]|[4-8][0-9]\.[05])''}',
  'fields.price.null-rate' = '0.05',
  'fields.surge_multiplier.expression' = '#{Options.option ''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.0'',''1.25'',''1.5'',''1.75'',''2.0''}',
  'fields.id.expression' = '#{Internet.uuid}',
  'fields.product_id.expression' = '#{Options.option ''shared'',''standard'',''xl'',''black'',''lux'',''wav''}',
  'fields.name.expression' = '#{Options.option ''Shared'',''Standard'',''XL'',''Black'',''Lux'',''WAV''}',
  'fields.cab_type.expression' = '#{Options.option ''Uber'',''Lyft''}',
  'fields.dt_current_timestamp.expression' = '#{date.past ''1'',''SECONDS''}',
  'fields.cpf.expression' = '#{CPF.valid}'
);

CREATE TABLE rides_kafka (
  user_id INT,
  vehicle_id INT,
  time_stamp BIGINT,
  source STRING,
  destination STRING,
  distance DOUBLE,
  price DOUBLE,
  surge_multiplier DOUBLE,
  id STRING,
  product_id STRING,
  name STRING,
  cab_type STRING,
  dt_current_timestamp TIMESTAMP(3),
  cpf STRING
) WITH (
  'connector' = 'kafka',
  'topic' = '${TOPIC:-rides}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'properties.group.id' = 'mainstem-rides',
  'properties.auto.offset.reset' = 'earliest',
  'scan.startup.mode' = '${STARTUP:-earliest-offset}',
  'scan.bounded.mode' = '${BOUNDED:-unbounded}',
  'format' = 'json'
);

-- base, quote, rate: one unit of base is worth `rate` units of quote.
CREATE TABLE exchange_rates (
  base STRING,
  quote STRING,
  rate DECIMAL(10, 4)
) WITH (
  'connector' = 'filesystem',
  'path' = '${DIR}/exchange_rates.csv',
  'format' = 'csv'
);

CREATE TABLE rides_enriched_print (
  user_id INT,
  source STRING,
  destination STRING,
  distance_km DOUBLE,
  price_brl DECIMAL(10, 2),
  event_time TIMESTAMP_LTZ(3),
  processing_time TIMESTAMP_LTZ(3),
  dynamic_fare BOOLEAN
) WITH ('connector' = 'print');

CREATE TABLE rides_enriched_kafka WITH (
  'connector' = 'kafka',
  'topic' = '${OUTPUT:-rides-enriched}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'format' = 'json'
) LIKE rides_enriched_print (EXCLUDING OPTIONS);

CREATE TEMPORARY VIEW priced_rides AS
SELECT *, 'USD' AS currency
FROM rides_${SOURCE:-generated}
WHERE price <> 0;

INSERT INTO rides_enriched_${SINK:-print}
SELECT
  user_id,
  source,
  destination,
  ROUND(distance * 1.609344E0, 2) AS distance_km,
  CAST(price * rate AS DECIMAL(10, 2)) AS price_brl,
  TO_TIMESTAMP_LTZ(time_stamp, 3) AS event_time,
  CURRENT_TIMESTAMP AS processing_time,
  surge_multiplier > 1 AS dynamic_fare
FROM priced_rides
JOIN exchange_rates ON base = currency AND quote = 'BRL';
