-- Users: one row per user out of the nested messages of a random-user API.
-- Everything generated and printed:   mainstem run examples/users/pipeline.sql
-- From and to Kafka:                  --var SOURCE=kafka --var SINK=kafka --var BOOTSTRAP=localhost:9092
-- The same without a Kafka:           mainstem up, with live.sql beside: see there

CREATE TABLE users_generated (
  results ARRAY<ROW<
    gender STRING,
    name ROW<title STRING, `first` STRING, `last` STRING>,
    location ROW<
      street ROW<number INT, name STRING>,
      city STRING,
      state STRING,
      country STRING,
      postcode STRING,
      coordinates ROW<latitude STRING, longitude STRING>,
      timezone ROW<`offset` STRING, description STRING>>,
    email STRING,
    login ROW<uuid STRING, username STRING, password STRING, salt STRING, md5 STRING, sha1 STRING, sha256 STRING>,
    dob ROW<`date` STRING, age INT>,
    registered ROW<`date` STRING, age INT>,
    phone STRING,
    cell STRING,
    id ROW<name STRING, `value` STRING>,
    picture ROW<large STRING, medium STRING, thumbnail STRING>,
    nat STRING>>,
  info ROW<seed STRING, results INT, page INT, version STRING>
) WITH (
  'connector' = 'faker',
  'number-of-rows' = '${ROWS:-1000}',
  'fields.results.length' = '1',
  'fields.results.element.gender.expression' = '#{Options.option ''female'',''male''}',
  'fields.results.element.name.title.expression' = '#{Options.option ''Mr'',''Mrs'',''Ms'',''Miss''}',
  'fields.results.element.name.first.expression' = '#{Name.firstName}',
  'fields.results.element.name.last.expression' = '#{Name.lastName}',
  'fields.results.element.location.street.number.expression' = '#{number.numberBetween ''1'',''10000''}',
  'fields.results.element.location.street.name.expression' = '#{Address.streetName}',
  'fields.results.element.location.city.expression' = '#{Address.city}',
  'fields.results.element.location.state.expression' = '#{Address.state}',
  'fields.results.element.location.country.expression' = '#{Address.country}',
  'fields.results.element.location.postcode.expression' = '#{regexify ''([1-9][0-9]{4}|[1-9][0-9]{4}|[1-9][0-9]{4}|[A-Z]{2}[0-9] [0-9][A-Z]{2})''}',
  'fields.results.element.location.coordinates.latitude.expression' = '#{number.randomDouble ''4'',''-90'',''90''}',
  'fields.results.element.location.coordinates.longitude.expression' = '#{number.randomDouble ''4'',''-180'',''180''}',
  'fields.results.element.location.timezone.offset.expression' = '#{Options.option ''-8:00'',''-5:00'',''-3:00'',''0:00'',''+1:00'',''+2:00'',''+5:30'',''+9:00''}',
  'fields.results.element.location.timezone.description.expression' = '#{Address.timeZone}',
  'fields.results.element.email.expression' = '#{Internet.safeEmailAddress}',
  'fields.results.element.login.uuid.expression' = '#{Internet.uuid}',
  'fields.results.element.login.username.expression' = '#{Color.name}#{Animal.name}#{numerify ''###''}',
  'fields.results.element.login.password.expression' = '#{Internet.password ''6'',''12''}',
  'fields.results.element.login.salt.expression' = '#{regexify ''[A-Za-z0-9]{8}''}',
  'fields.results.element.login.md5.expression' = '#{Crypto.md5}',
  'fields.results.element.login.sha1.expression' = '#{Crypto.sha1}',
  'fields.results.element.login.sha256.expression' = '#{Crypto.sha256}',
  'fields.results.element.dob.date.expression' = '#{date.birthday ''18'',''80'',''yyyy-MM-dd''''T''''HH:mm:ss.SSSX''}',
  'fields.results.element.dob.age.expression' = '#{number.numberBetween ''18'',''80''}',
  'fields.results.element.registered.date.expression' = '#{date.birthday ''1'',''20'',''yyyy-MM-dd''''T''''HH:mm:ss.SSSX''}',
  'fields.results.element.registered.age.expression' = '#{number.numberBetween ''1'',''20''}',
  'fields.results.element.phone.expression' = '#{PhoneNumber.phoneNumber}',
  'fields.results.element.cell.expression' = '#{PhoneNumber.cellPhone}',
  'fields.results.element.id.name.expression' = 'SSN',
  'fields.results.element.id.value.expression' = '#{IdNumber.valid}',
  'fields.results.element.picture.large.expression' = 'https://randomuser.me/api/portraits/#{Options.option ''men'',''women''}/#{number.numberBetween ''0'',''100''}.jpg',
  'fields.results.element.picture.medium.expression' = 'https://randomuser.me/api/portraits/med/#{Options.option ''men'',''women''}/#{number.numberBetween ''0'',''100''}.jpg',
  'fields.results.element.picture.thumbnail.expression' = 'https://randomuser.me/api/portraits/thumb/#{Options.option ''men'',''women''}/#{number.numberBetween ''0'',''100''}.jpg',
  'fields.results.element.nat.expression' = '#{Options.option ''AU'',''BR'',''CA'',''DE'',''ES'',''FR'',''GB'',''IE'',''NL'',''NZ'',''US''}',
  'fields.info.seed.expression' = '#{regexify ''[0-9a-f]{16}''}',
  'fields.info.results.expression' = '1',
  'fields.info.page.expression' = '1',
  'fields.info.version.expression' = '1.4'
);

-- The API sends a postcode as a text or as a number: declared STRING, both are read.
CREATE TABLE users_kafka (
  results ARRAY<ROW<
    login ROW<username STRING>,
    name ROW<`first` STRING, `last` STRING>,
    gender STRING,
    dob ROW<`date` STRING>,
    location ROW<postcode STRING, country STRING>,
    email STRING>>
) WITH (
  'connector' = 'kafka',
  'topic' = '${TOPIC:-users}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'properties.group.id' = 'mainstem-users',
  'properties.auto.offset.reset' = 'earliest',
  'scan.startup.mode' = '${STARTUP:-earliest-offset}',
  'scan.bounded.mode' = '${BOUNDED:-unbounded}',
  'format' = 'json'
);

CREATE TABLE users_flat_print (
  login_username STRING,
  first_name STRING,
  last_name STRING,
  gender STRING,
  dob STRING,
  postcode STRING,
  country STRING,
  email STRING
) WITH ('connector' = 'print');

CREATE TABLE users_flat_kafka WITH (
  'connector' = 'kafka',
  'topic' = '${OUTPUT:-users-flat}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'format' = 'json'
) LIKE users_flat_print (EXCLUDING OPTIONS);

INSERT INTO users_flat_${SINK:-print}
SELECT
  u.login.username,
  u.name.`first`,
  u.name.`last`,
  u.gender,
  u.dob.`date`,
  u.location.postcode,
  u.location.country,
  u.email
FROM users_${SOURCE:-generated}
CROSS JOIN UNNEST(results) AS u;
