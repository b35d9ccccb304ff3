//! The data sets of `mainstem gen --dataset NAME`: tables that make the events of well-known example pipelines.
//! Invariant: each is one CREATE TABLE statement that the SQL front runs as it stands; the shell may add
//! `number-of-rows`, `rows-per-second` and `seed`. Nothing is made here.

/// A table that makes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dataset {
    /// What `--dataset` says; also the table's name.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// The table's declaration.
    pub ddl: &'static str,
}

/// All data sets, in the order of the docs.
pub static DATASETS: &[Dataset] = &[
    Dataset {
        name: "rides",
        doc: "Rides of two companies with 14 fields; some prices are null or zero, few fares are dynamic.",
        ddl: RIDES,
    },
    Dataset {
        name: "users",
        doc: "Messages of a random-user API: an array of nested users, and how they were asked for.",
        ddl: USERS,
    },
    Dataset {
        name: "bookings",
        doc: "Hotel searches with 20 fields; some stays are null or end before they start.",
        ddl: BOOKINGS,
    },
    Dataset {
        name: "transactions",
        doc: "Payments, one event a millisecond, of ten users; a quarter is refused.",
        ddl: TRANSACTIONS,
    },
    Dataset {
        name: "sessions",
        doc: "Sessions as a Romanian internet provider logs them, with 16 fields.",
        ddl: SESSIONS,
    },
];

/// The data set of this name.
pub fn dataset(name: &str) -> Option<&'static Dataset> {
    DATASETS.iter().find(|d| d.name == name)
}

const RIDES: &str = r"CREATE TABLE rides (
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
)";

// The API sends some post codes as numbers. A column has one type, so here they are texts, of digits only for most.
const USERS: &str = r"CREATE TABLE users (
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
)";

// Stays start in one week and end from two days before its end on: all lengths occur, and some end before they start.
const BOOKINGS: &str = r"CREATE TABLE bookings (
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
)";

const TRANSACTIONS: &str = r"CREATE TABLE transactions (
  event_timestamp STRING,
  user_id STRING,
  transaction_id STRING,
  total_paid DOUBLE,
  status STRING
) WITH (
  'connector' = 'faker',
  'fields.event_timestamp.expression' = '#{sequence.timestamp ''2026-01-01 00:00:00'',''1''}',
  'fields.user_id.expression' = '#{Options.option ''0a9d1f6e-6f0b-4a53-9d37-3c1f5f0a7b11'',''1c52e7b4-93d8-4c0e-8a6b-5e9d2f7c4a22'',''2f84b0c3-15e6-4d7a-b2c9-7a6e1d3f5b33'',''3b17d9a8-48f2-4e61-a5d0-9c8b7e6f1d44'',''4e6ac2f5-7b39-4f18-8e47-1b2d3c4f5a55'',''5d93f4e7-a60c-4b25-97f8-2e4f6a8c0b66'',''6a28e5d1-c9b7-4832-b0a1-4d6f8b0c2e77'',''7f40a6b9-d3c5-4a9e-8c12-6b8d0f2e4a88'',''8c75b1e0-2e4f-4d6c-9f35-8a0c2e4f6b99'',''9e01c8d2-5f6a-4b7d-a846-0c2e4f6a8d00''}',
  'fields.transaction_id.expression' = '#{Internet.uuid}',
  'fields.total_paid.expression' = '#{number.randomDouble ''2'',''1'',''1000''}',
  'fields.status.expression' = '#{Options.option ''Paid'',''Paid'',''Paid'',''Refused''}'
)";

const SESSIONS: &str = r"CREATE TABLE sessions (
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
  'connector' = 'faker',
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
)";

#[cfg(test)]
mod tests;
