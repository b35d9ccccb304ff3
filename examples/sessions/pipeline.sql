-- Sessions: an internet provider's session log into PostgreSQL; schema and table are created.
-- Everything generated and printed:   mainstem run examples/sessions/pipeline.sql
-- From Kafka into PostgreSQL:         --var SOURCE=kafka --var BOOTSTRAP=localhost:9092
--                                     --var SINK=postgres --var POSTGRES=jdbc:postgresql://localhost:5432/mainstem
-- The same without a Kafka:           mainstem up, with live.sql beside: see there

CREATE TABLE sessions_generated (
  person_name STRING,
  user_name STRING,
  email STRING,
  personal_number STRING,
  birth_date DATE,
  address STRING,
  phone_number STRING,
  mac_address STRING,
  ip_address STRING,
  iban STRING,
  accessed_at TIMESTAMP(3),
  session_duration INT,
  download_speed INT,
  upload_speed INT,
  consumed_traffic INT,
  unique_id STRING NOT NULL
) WITH (
  'connector' = 'faker',
  'number-of-rows' = '${ROWS:-1000}',
  'locale' = 'ro_RO',
  'fields.person_name.expression' = '#{Name.fullName}',
  'fields.user_name.expression' = '#{Name.username}',
  'fields.email.expression' = '#{Internet.emailAddress}',
  'fields.personal_number.expression' = '#{IdNumber.valid}',
  'fields.birth_date.expression' = '#{date.birthday ''18'',''80''}',
  'fields.address.expression' = '#{Address.fullAddress}',
  'fields.phone_number.expression' = '#{PhoneNumber.phoneNumber}',
  'fields.mac_address.expression' = '#{Internet.macAddress}',
  'fields.ip_address.expression' = '#{Internet.ipV4Address}',
  'fields.iban.expression' = '#{Finance.iban}',
  'fields.accessed_at.expression' = '#{date.past ''1'',''DAYS''}',
  'fields.session_duration.expression' = '#{number.numberBetween ''60'',''36001''}',
  'fields.download_speed.expression' = '#{number.numberBetween ''10'',''1001''}',
  'fields.upload_speed.expression' = '#{number.numberBetween ''5'',''501''}',
  'fields.consumed_traffic.expression' = '#{number.numberBetween ''100'',''10000001''}',
  'fields.unique_id.expression' = '#{Internet.uuid}'
);

CREATE TABLE sessions_kafka (
  person_name STRING,
  user_name STRING,
  email STRING,
  personal_number STRING,
  birth_date DATE,
  address STRING,
  phone_number STRING,
  mac_address STRING,
  ip_address STRING,
  iban STRING,
  accessed_at TIMESTAMP(3),
  session_duration INT,
  download_speed INT,
  upload_speed INT,
  consumed_traffic INT,
  unique_id STRING
) WITH (
  'connector' = 'kafka',
  'topic' = '${TOPIC:-sessions}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'properties.group.id' = 'mainstem-sessions',
  'properties.auto.offset.reset' = 'earliest',
  'scan.startup.mode' = '${STARTUP:-earliest-offset}',
  'scan.bounded.mode' = '${BOUNDED:-unbounded}',
  'format' = 'json'
);

CREATE TABLE streaming_data_print WITH (
  'connector' = 'print'
) LIKE sessions_generated (EXCLUDING OPTIONS);

-- Where there is no PostgreSQL: a topic that keeps the last record of each session.
CREATE TABLE streaming_data_kafka (
  PRIMARY KEY (unique_id) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = '${OUTPUT:-streaming_layer.streaming_data}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'key.format' = 'json',
  'value.format' = 'json'
) LIKE sessions_generated (EXCLUDING OPTIONS);

-- The key makes a repeated session an update: a pipeline that starts again counts nothing twice.
CREATE TABLE streaming_data_postgres (
  PRIMARY KEY (unique_id) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = '${POSTGRES:-jdbc:postgresql://localhost:5432/postgres}',
  'table-name' = '${OUTPUT:-streaming_layer.streaming_data}',
  'username' = '${POSTGRES_USER:-postgres}',
  'password' = '${POSTGRES_PASSWORD:-postgres}',
  'sink.create' = 'true'
) LIKE sessions_generated (EXCLUDING OPTIONS);

INSERT INTO streaming_data_${SINK:-print}
SELECT * FROM sessions_${SOURCE:-generated};
