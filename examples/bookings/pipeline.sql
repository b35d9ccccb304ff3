-- Bookings: the length of each searched stay into a category; all columns to one topic, hotel and category to a
-- second, and a live table of searches and distinct hotels per category.
-- Everything generated and printed:   mainstem run examples/bookings/pipeline.sql
-- From and to Kafka:                  --var SOURCE=kafka --var SINK=kafka --var BOOTSTRAP=localhost:9092
-- The same without a Kafka:           mainstem up, with live.sql beside: see there

CREATE TABLE bookings_generated (
  id BIGINT,
  date_time STRING,
  site_name INT,
  posa_container INT,
  user_location_country INT,
  user_location_region INT,
  user_location_city INT,
  orig_destination_distance DOUBLE,
  user_id INT,
  is_mobile INT,
  is_package INT,
  channel INT,
  srch_ci STRING,
  srch_co STRING,
  srch_adults_cnt INT,
  srch_children_cnt INT,
  srch_rm_cnt INT,
  srch_destination_id INT,
  srch_destination_type_id INT,
  hotel_id BIGINT
) WITH (
  'connector' = 'faker',
  'number-of-rows' = '${ROWS:-1000}',
  'fields.id.expression' = '#{sequence.number ''0''}',
  'fields.date_time.expression' = '#{date.between ''2026-01-01'',''2026-03-01'',''yyyy-MM-dd HH:mm:ss''}',
  'fields.site_name.expression' = '#{number.numberBetween ''2'',''54''}',
  'fields.posa_container.expression' = '#{number.numberBetween ''0'',''5''}',
  'fields.user_location_country.expression' = '#{number.numberBetween ''0'',''240''}',
  'fields.user_location_region.expression' = '#{number.numberBetween ''0'',''1028''}',
  'fields.user_location_city.expression' = '#{number.numberBetween ''0'',''56509''}',
  'fields.orig_destination_distance.expression' = '#{number.randomDouble ''4'',''0.1'',''12000''}',
  'fields.orig_destination_distance.null-rate' = '0.35',
  'fields.user_id.expression' = '#{number.numberBetween ''0'',''1200000''}',
  'fields.is_mobile.expression' = '#{Options.option ''0'',''0'',''0'',''0'',''0'',''0'',''1''}',
  'fields.is_package.expression' = '#{Options.option ''0'',''0'',''0'',''1''}',
  'fields.channel.expression' = '#{number.numberBetween ''0'',''11''}',
  'fields.srch_ci.expression' = '#{date.between ''2026-03-01'',''2026-03-08'',''yyyy-MM-dd''}',
  'fields.srch_ci.null-rate' = '0.02',
  'fields.srch_co.expression' = '#{date.between ''2026-03-05'',''2026-03-26'',''yyyy-MM-dd''}',
  'fields.srch_co.null-rate' = '0.02',
  'fields.srch_adults_cnt.expression' = '#{Options.option ''1'',''2'',''2'',''2'',''2'',''3'',''4''}',
  'fields.srch_children_cnt.expression' = '#{Options.option ''0'',''0'',''0'',''0'',''1'',''2'',''3''}',
  'fields.srch_rm_cnt.expression' = '#{Options.option ''1'',''1'',''1'',''1'',''1'',''1'',''2'',''3''}',
  'fields.srch_destination_id.expression' = '#{number.numberBetween ''0'',''65108''}',
  'fields.srch_destination_type_id.expression' = '#{number.numberBetween ''1'',''10''}',
  'fields.hotel_id.expression' = '#{number.numberBetween ''1'',''2500''}'
);

CREATE TABLE bookings_kafka (
  id BIGINT,
  date_time STRING,
  site_name INT,
  posa_container INT,
  user_location_country INT,
  user_location_region INT,
  user_location_city INT,
  orig_destination_distance DOUBLE,
  user_id INT,
  is_mobile INT,
  is_package INT,
  channel INT,
  srch_ci STRING,
  srch_co STRING,
  srch_adults_cnt INT,
  srch_children_cnt INT,
  srch_rm_cnt INT,
  srch_destination_id INT,
  srch_destination_type_id INT,
  hotel_id BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = '${TOPIC:-bookings}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'properties.group.id' = 'mainstem-bookings',
  'properties.auto.offset.reset' = 'earliest',
  'scan.startup.mode' = '${STARTUP:-earliest-offset}',
  'scan.bounded.mode' = '${BOUNDED:-unbounded}',
  'format' = 'json'
);

CREATE TABLE bookings_categorised_print (
  id BIGINT,
  date_time STRING,
  site_name INT,
  posa_container INT,
  user_location_country INT,
  user_location_region INT,
  user_location_city INT,
  orig_destination_distance DOUBLE,
  user_id INT,
  is_mobile INT,
  is_package INT,
  channel INT,
  srch_ci STRING,
  srch_co STRING,
  srch_adults_cnt INT,
  srch_children_cnt INT,
  srch_rm_cnt INT,
  srch_destination_id INT,
  srch_destination_type_id INT,
  hotel_id BIGINT,
  stay_category STRING
) WITH ('connector' = 'print', 'print-identifier' = 'booking');

CREATE TABLE bookings_categorised_kafka WITH (
  'connector' = 'kafka',
  'topic' = '${OUTPUT:-bookings-categorised}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'format' = 'json'
) LIKE bookings_categorised_print (EXCLUDING OPTIONS);

CREATE TABLE hotel_categories_print (
  hotel_id BIGINT,
  stay_category STRING
) WITH ('connector' = 'print', 'print-identifier' = 'hotel');

CREATE TABLE hotel_categories_kafka WITH (
  'connector' = 'kafka',
  'topic' = '${HOTELS:-hotel-categories}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'format' = 'json'
) LIKE hotel_categories_print (EXCLUDING OPTIONS);

CREATE TABLE category_totals_print (
  stay_category STRING,
  searches BIGINT,
  hotels BIGINT,
  PRIMARY KEY (stay_category) NOT ENFORCED
) WITH ('connector' = 'print', 'print-identifier' = 'total');

CREATE TABLE category_totals_kafka WITH (
  'connector' = 'upsert-kafka',
  'topic' = '${TOTALS:-category-totals}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'key.format' = 'json',
  'value.format' = 'json'
) LIKE category_totals_print (EXCLUDING OPTIONS);

CREATE TEMPORARY VIEW stays AS
SELECT *, TIMESTAMPDIFF(DAY, TRY_CAST(srch_ci AS DATE), TRY_CAST(srch_co AS DATE)) AS days
FROM bookings_${SOURCE:-generated};

CREATE TEMPORARY VIEW categorised AS
SELECT *,
  CASE
    WHEN days IS NULL OR days <= 0 THEN 'Erroneous data'
    WHEN days <= 4 THEN 'Short stay'
    WHEN days <= 10 THEN 'Standard stay'
    WHEN days <= 14 THEN 'Standard extended stay'
    ELSE 'Long stay'
  END AS stay_category
FROM stays;

EXECUTE STATEMENT SET BEGIN
  INSERT INTO bookings_categorised_${SINK:-print}
  SELECT
    id, date_time, site_name, posa_container, user_location_country,
    user_location_region, user_location_city, orig_destination_distance, user_id, is_mobile,
    is_package, channel, srch_ci, srch_co, srch_adults_cnt,
    srch_children_cnt, srch_rm_cnt, srch_destination_id, srch_destination_type_id, hotel_id,
    stay_category
  FROM categorised;

  INSERT INTO hotel_categories_${SINK:-print}
  SELECT hotel_id, stay_category FROM categorised;

  INSERT INTO category_totals_${SINK:-print}
  SELECT stay_category, COUNT(*) AS searches, COUNT(DISTINCT hotel_id) AS hotels
  FROM categorised
  GROUP BY stay_category;
END;
