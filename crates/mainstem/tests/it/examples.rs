//! The five examples, end to end: everything generated and printed, and with a real Kafka and PostgreSQL.
//! Invariant: what they must write is computed here from the generated events by other means than the engine's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Place, Ran};
use crate::servers::{Database, Deadline, Kafka, Watched, unique};

pub(crate) const ROWS: usize = 500;

fn example(name: &str) -> String {
    format!("{}/../../examples/{name}/pipeline.sql", env!("CARGO_MANIFEST_DIR"))
}

/// What to give the binary to run `file` with variables.
fn arguments(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let given =
        variables.iter().flat_map(|(key, value)| ["--var".to_owned(), format!("{key}={value}")]);
    ["run".to_owned(), file.to_owned()].into_iter().chain(given).collect()
}

fn as_texts(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn run(name: &str, variables: &[(&str, &str)]) -> Ran {
    Place::new().ok(&as_texts(&arguments(&example(name), variables)))
}

/// The lines that an example prints of `rows` generated events.
fn printed(name: &str, rows: usize) -> Vec<String> {
    let ran = run(name, &[("ROWS", &rows.to_string())]);
    assert!(ran.stderr.contains("done in"), "{}", ran.stderr);
    ran.stdout.lines().map(str::to_owned).collect()
}

/// Reads `topic` of a real Kafka to its end, and writes to other topics.
fn run_with_kafka(name: &str, kafka: &Kafka, topic: &str, outputs: &[(&str, &str)]) -> Ran {
    let mut variables = vec![
        ("SOURCE", "kafka"),
        ("SINK", "kafka"),
        ("BOOTSTRAP", &*kafka.servers),
        ("BOUNDED", "latest-offset"),
        ("TOPIC", topic),
    ];
    variables.extend_from_slice(outputs);
    run(name, &variables)
}

/// Events of a data set: the same seed, the same rows.
pub(crate) fn events(dataset: &str, count: usize) -> Vec<Value> {
    let place = Place::new();
    let count = count.to_string();
    let ran = place.ok(&["gen", "--quiet", "--dataset", dataset, "--count", &count]);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn send_events(dataset: &str, count: usize, kafka: &Kafka, topic: &str) {
    let target = format!("kafka://{}/{topic}", kafka.servers);
    let count = count.to_string();
    Place::new().ok(&["gen", "--dataset", dataset, "--count", &count, "--to", &target]);
}

/// The fields of a printed row. No value may hold a comma and a blank.
fn fields<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let row = line.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(']'));
    row.unwrap_or_else(|| panic!("{line}")).split(", ").collect()
}

/// As the connector `print` shows a value.
pub(crate) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("'{text}' is no number"))
}

/// Equal when `got` was rounded to two places.
fn assert_rounded(got: f64, exact: f64, what: &str) {
    assert!((got - exact).abs() <= 0.005 + 1e-7, "{what}: {got} for {exact}");
    assert!((got * 100.0 - (got * 100.0).round()).abs() < 1e-4, "{what}: {got} is not rounded");
}

/// Days from 1970-01-01 of `yyyy-mm-dd`, by counting.
fn days(date: &str) -> Option<i64> {
    let parts: Vec<i64> = date.split('-').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day] = parts.try_into().ok()?;
    let leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let length = |m: i64| match m {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=length(month)).contains(&day) {
        return None;
    }
    let years: i64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
    Some(years + (1..month).map(length).sum::<i64>() + day - 1)
}

/// Milliseconds from 1970 of a timestamp as JSON or `print` writes it; seconds and their fraction may be missing.
fn millis(text: &str) -> i64 {
    let (date, time) = text.trim_end_matches('Z').split_once(['T', ' ']).unwrap();
    let mut parts = time.split(':');
    let minutes: Vec<i64> = parts.by_ref().take(2).map(|p| p.parse().unwrap()).collect();
    let seconds = parts.next().map_or(0.0, number);
    let minutes = (days(date).unwrap() * 24 + minutes[0]) * 60 + minutes[1];
    #[expect(clippy::cast_possible_truncation, reason = "fewer than 60000 milliseconds")]
    let rest = (seconds * 1000.0).round() as i64;
    minutes * 60_000 + rest
}

// Rides.

/// What a ride must become: the eight fields of `got`, as texts, against the event.
fn assert_ride(got: &[String], event: &Value, rate: f64) {
    let [user, source, destination, km, brl, at, processed, dynamic] = got else {
        panic!("not eight fields: {got:?}");
    };
    let texts = [user, source, destination].map(|t| t.as_str());
    let wanted = ["user_id", "source", "destination"].map(|f| shown(&event[f]));
    assert_eq!(texts.map(str::to_owned), wanted);
    assert_rounded(number(km), event["distance"].as_f64().unwrap() * 1.609_344, "km");
    assert_rounded(number(brl), event["price"].as_f64().unwrap() * rate, "BRL");
    assert_eq!(millis(at), event["time_stamp"].as_i64().unwrap());
    assert!(millis(processed) > millis("2026-01-01 00:00"), "{processed}");
    assert_eq!(dynamic == "true", event["surge_multiplier"].as_f64().unwrap() > 1.0);
}

/// The fields of a ride in the topic, as texts.
pub(crate) fn ride_fields(value: &Value) -> Vec<String> {
    let names = [
        "user_id",
        "source",
        "destination",
        "distance_km",
        "price_brl",
        "event_time",
        "processing_time",
        "dynamic_fare",
    ];
    assert_eq!(value.as_object().unwrap().len(), names.len(), "{value}");
    names.iter().map(|name| shown(&value[*name])).collect()
}

/// Priced rides and only they, each once.
pub(crate) fn assert_rides(mut got: Vec<Vec<String>>, events: &[Value]) {
    let rates = Path::new(&example("rides")).with_file_name("exchange_rates.csv");
    let rates = std::fs::read_to_string(rates).unwrap();
    let rate = number(rates.lines().find_map(|line| line.strip_prefix("USD,BRL,")).unwrap());
    let priced = |event: &&Value| event["price"].as_f64().is_some_and(|price| price != 0.0);
    let mut wanted: Vec<&Value> = events.iter().filter(priced).collect();
    assert!(wanted.len() < events.len(), "some rides have no price");
    assert_eq!(got.len(), wanted.len());
    wanted.sort_by_key(|event| event["time_stamp"].as_i64());
    got.sort_by_key(|fields| millis(&fields[5]));
    for (got, event) in got.iter().zip(wanted) {
        assert_ride(got, event, rate);
    }
    let dynamic = got.iter().filter(|fields| fields[7] == "true").count();
    assert!(dynamic > 0 && dynamic < got.len(), "some fares are dynamic: {dynamic}");
}

#[test]
fn rides_generated() {
    let lines = printed("rides", ROWS);
    let rows = lines.iter().map(|line| fields(line, "+I["));
    let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect()).collect();
    assert_rides(rows, &events("rides", ROWS));
}

#[test]
fn rides_through_kafka() {
    let Some(kafka) = Kafka::open() else { return };
    let Some(topic) = kafka.topic("rides", 3) else { return };
    let output = unique("rides_enriched");
    send_events("rides", ROWS, &kafka, &topic);
    run_with_kafka("rides", &kafka, &topic, &[("OUTPUT", &output)]);
    let rows: Vec<Vec<String>> = kafka.values(&output).iter().map(ride_fields).collect();
    let count = rows.len();
    assert_rides(rows, &events("rides", ROWS));
    // What we can read, Kafka's own consumer can.
    let count = count.to_string();
    let arguments = ["--topic", &output, "--from-beginning", "--max-messages", &count];
    let read = kafka.tool("kafka-console-consumer", &arguments).unwrap();
    let read: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len().to_string(), count);
    assert!(read.iter().all(|value| value["price_brl"].as_f64() > Some(0.0)));
}

#[test]
fn rides_go_on_where_they_stopped() {
    let Some(kafka) = Kafka::open() else { return };
    let (topic, group) = (unique("rides"), unique("group"));
    send_events("rides", 10, &kafka, &topic);
    let read = || {
        let sql = std::fs::read_to_string(example("rides")).unwrap();
        let sql = sql.replace("'mainstem-rides'", &format!("'{group}'"));
        let place = Place::with(&[("pipeline.sql", &sql)]);
        let rates = Path::new(&example("rides")).with_file_name("exchange_rates.csv");
        place.write("exchange_rates.csv", std::fs::read(rates).unwrap());
        let variables = [
            ("SOURCE", "kafka"),
            ("BOOTSTRAP", &*kafka.servers),
            ("BOUNDED", "latest-offset"),
            ("STARTUP", "group-offsets"),
            ("TOPIC", &topic),
        ];
        place.ok(&as_texts(&arguments("pipeline.sql", &variables))).stderr
    };
    let records = |n: usize| move |said: &str| said.contains(&format!("{n} records"));
    let first = read();
    assert!(records(10)(&first), "{first}");
    send_events("rides", 7, &kafka, &topic);
    let second = read();
    assert!(records(7)(&second), "{second}");
}

// Users.

fn flat_user(user: &Value) -> Value {
    json!({
        "login_username": user["login"]["username"],
        "first_name": user["name"]["first"],
        "last_name": user["name"]["last"],
        "gender": user["gender"],
        "dob": user["dob"]["date"],
        "postcode": user["location"]["postcode"],
        "country": user["location"]["country"],
        "email": user["email"],
    })
}

pub(crate) fn flat_users(messages: &[Value]) -> Vec<Value> {
    messages.iter().flat_map(|m| m["results"].as_array().unwrap()).map(flat_user).collect()
}

#[test]
fn users_generated() {
    let names = ["login_username", "first_name", "last_name", "gender", "dob", "postcode"];
    let users = flat_users(&events("users", ROWS));
    let wanted: Vec<String> = users
        .iter()
        .map(|user| {
            let fields = names.iter().chain(["country", "email"].iter());
            let fields: Vec<String> = fields.map(|name| shown(&user[*name])).collect();
            format!("+I[{}]", fields.join(", "))
        })
        .collect();
    assert_eq!(wanted.len(), ROWS);
    assert_eq!(printed("users", ROWS), wanted);
}

#[test]
fn users_through_kafka() {
    let Some(kafka) = Kafka::open() else { return };
    let (topic, output) = (unique("users"), unique("users_flat"));
    send_events("users", ROWS, &kafka, &topic);
    // A postcode that is a number, several users in a message, fields that are missing, and no user at all.
    kafka.send(
        &topic,
        &[
            r#"{"results":[
                {"gender":"female","name":{"title":"Ms","first":"Zoë","last":"O'Hara"},"email":"zoe@example.com",
                 "location":{"street":{"number":8,"name":"Rua A"},"postcode":69301,"country":"Brazil"},
                 "login":{"uuid":"u","username":"smallbird1"},"dob":{"date":"1990-01-02T03:04:05.678Z","age":36}},
                {"gender":"male","name":{"first":"Bo","last":"Ek"},"email":null,
                 "location":{"postcode":"0001","country":"Norway"},"login":{"username":"bo"},"dob":null}],
              "info":{"seed":"a","results":2,"page":1,"version":"1.4"}}"#,
            r#"{"results":[]}"#,
            r#"{"error":"Uh oh, something has gone wrong."}"#,
        ],
    );
    run_with_kafka("users", &kafka, &topic, &[("OUTPUT", &output)]);
    let mut wanted = flat_users(&events("users", ROWS));
    wanted.push(json!({
        "login_username": "smallbird1", "first_name": "Zoë", "last_name": "O'Hara", "gender": "female",
        "dob": "1990-01-02T03:04:05.678Z", "postcode": "69301", "country": "Brazil", "email": "zoe@example.com",
    }));
    wanted.push(json!({
        "login_username": "bo", "first_name": "Bo", "last_name": "Ek", "gender": "male",
        "dob": null, "postcode": "0001", "country": "Norway", "email": null,
    }));
    assert_eq!(kafka.values(&output), wanted);
}

// Bookings.

const BOOKING: [&str; 20] = [
    "id",
    "date_time",
    "site_name",
    "posa_container",
    "user_location_country",
    "user_location_region",
    "user_location_city",
    "orig_destination_distance",
    "user_id",
    "is_mobile",
    "is_package",
    "channel",
    "srch_ci",
    "srch_co",
    "srch_adults_cnt",
    "srch_children_cnt",
    "srch_rm_cnt",
    "srch_destination_id",
    "srch_destination_type_id",
    "hotel_id",
];

pub(crate) fn category(event: &Value) -> &'static str {
    let day = |field: &str| days(event[field].as_str()?);
    let nights = day("srch_co").zip(day("srch_ci")).map(|(to, from)| to - from);
    match nights {
        Some(1..=4) => "Short stay",
        Some(5..=10) => "Standard stay",
        Some(11..=14) => "Standard extended stay",
        Some(15..) => "Long stay",
        _ => "Erroneous data",
    }
}

/// Category to searches and distinct hotels.
pub(crate) fn totals(events: &[Value]) -> BTreeMap<String, (usize, usize)> {
    let mut hotels: BTreeMap<&str, (usize, BTreeSet<i64>)> = BTreeMap::new();
    for event in events {
        let (searches, hotels) = hotels.entry(category(event)).or_default();
        *searches += 1;
        hotels.insert(event["hotel_id"].as_i64().unwrap());
    }
    hotels.into_iter().map(|(name, (n, hotels))| (name.to_owned(), (n, hotels.len()))).collect()
}

/// The table that the records of the topic of totals leave.
pub(crate) fn latest_totals(
    records: impl IntoIterator<Item = (Value, Value)>,
) -> BTreeMap<String, (usize, usize)> {
    let mut table = BTreeMap::new();
    for (key, value) in records {
        assert_eq!(key, json!({"stay_category": value["stay_category"]}));
        let count = |field: &str| usize::try_from(value[field].as_u64().unwrap()).unwrap();
        table.insert(shown(&key["stay_category"]), (count("searches"), count("hotels")));
    }
    table
}

#[test]
fn bookings_generated() {
    let lines = printed("bookings", ROWS);
    let of = |name: &str| {
        let prefix = format!("{name}> ");
        let found = lines.iter().filter_map(move |line| line.strip_prefix(&prefix));
        found.map(str::to_owned).collect::<Vec<_>>()
    };
    let events = events("bookings", ROWS);
    let row = |event: &Value| {
        let fields: Vec<String> = BOOKING.iter().map(|name| shown(&event[*name])).collect();
        format!("+I[{}, {}]", fields.join(", "), category(event))
    };
    assert_eq!(of("booking"), events.iter().map(row).collect::<Vec<_>>());
    let hotels: Vec<String> =
        events.iter().map(|e| format!("+I[{}, {}]", e["hotel_id"], category(e))).collect();
    assert_eq!(of("hotel"), hotels);
    let live = of("total");
    assert_eq!(folded(&live), totals(&events));
    assert_eq!(totals(&events).len(), 5, "every category is there");
    assert_eq!(lines.len(), 2 * ROWS + live.len());
}

/// The table that printed changes leave; each retraction must be of what is there.
fn folded(changes: &[String]) -> BTreeMap<String, (usize, usize)> {
    let mut table = BTreeMap::new();
    for change in changes {
        let (kind, _) = change.split_once('[').unwrap();
        let row = fields(change, &format!("{kind}["));
        let (name, totals) =
            (row[0].to_owned(), (row[1].parse().unwrap(), row[2].parse().unwrap()));
        if kind.starts_with('+') {
            assert_eq!(table.insert(name, totals), None, "{change}");
        } else {
            assert_eq!(table.remove(&name), Some(totals), "{change}");
        }
    }
    table
}

/// Searches whose stays stand at the edges of the categories.
fn edges() -> Vec<Value> {
    let stays = [
        (json!("2026-03-01"), json!("2026-03-01")),
        (json!("2026-03-02"), json!("2026-03-01")),
        (json!("2026-02-28"), json!("2026-03-01")),
        (json!("2026-12-29"), json!("2027-01-02")),
        (json!("2026-03-01"), json!("2026-03-06")),
        (json!("2026-03-01"), json!("2026-03-11")),
        (json!("2026-03-01"), json!("2026-03-12")),
        (json!("2028-02-20"), json!("2028-03-05")),
        (json!("2026-03-01"), json!("2026-03-16")),
        (json!("2026-02-30"), json!("2026-03-05")),
        (json!("soon"), json!("2026-03-05")),
        (json!(""), json!("2026-03-05")),
        (json!("2026-03-01"), Value::Null),
    ];
    let mut search = events("bookings", 1).remove(0);
    let mut searches = Vec::new();
    for (number, (from, to)) in stays.into_iter().enumerate() {
        search["id"] = json!(1_000_000 + number);
        search["srch_ci"] = from;
        search["srch_co"] = to;
        searches.push(search.clone());
    }
    searches
}

#[test]
fn bookings_through_kafka() {
    let Some(kafka) = Kafka::open() else { return };
    let topic = unique("bookings");
    let outputs = ["OUTPUT", "HOTELS", "TOTALS"].map(|name| (name, unique(name)));
    send_events("bookings", ROWS, &kafka, &topic);
    let edges = edges();
    let texts: Vec<String> = edges.iter().map(Value::to_string).collect();
    kafka.send(&topic, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    let variables: Vec<(&str, &str)> = outputs.iter().map(|(n, t)| (*n, t.as_str())).collect();
    run_with_kafka("bookings", &kafka, &topic, &variables);

    let mut wanted = events("bookings", ROWS);
    wanted.extend(edges);
    let totals = totals(&wanted);
    let hotels: Vec<Value> = wanted
        .iter()
        .map(|e| json!({"hotel_id": e["hotel_id"], "stay_category": category(e)}))
        .collect();
    for event in &mut wanted {
        event["stay_category"] = json!(category(event));
    }
    assert_eq!(kafka.values(variables[0].1), wanted);
    assert_eq!(kafka.values(variables[1].1), hotels);
    let read = |text: Option<String>| serde_json::from_str::<Value>(&text.unwrap()).unwrap();
    let records = kafka.records(variables[2].1).into_iter();
    assert_eq!(latest_totals(records.map(|(key, value)| (read(key), read(value)))), totals);
}

// Transactions.

/// Start of a window to what was paid in it and how often.
pub(crate) type Windows = BTreeMap<i64, (f64, usize)>;

pub(crate) fn windows(events: &[Value]) -> Windows {
    let mut windows = Windows::new();
    for event in events.iter().filter(|event| event["status"] == "Paid") {
        let at = millis(event["event_timestamp"].as_str().unwrap());
        let (paid, count) = windows.entry(at - at.rem_euclid(3000)).or_default();
        *paid += event["total_paid"].as_f64().unwrap();
        *count += 1;
    }
    windows
}

/// The fields of a window in the topic, as texts.
pub(crate) fn window_fields(value: &Value) -> Vec<String> {
    let names = ["window_start", "window_end", "total_paid", "transactions", "average_paid"];
    names.iter().map(|name| shown(&value[*name])).collect()
}

/// Rows of window_start, window_end, total_paid, transactions, average_paid.
pub(crate) fn assert_windows(got: &[Vec<String>], wanted: &Windows) {
    let starts: Vec<i64> = got.iter().map(|row| millis(&row[0])).collect();
    assert_eq!(starts, wanted.keys().copied().collect::<Vec<_>>());
    for (row, (start, (paid, count))) in got.iter().zip(wanted) {
        assert_eq!(row.len(), 5, "{row:?}");
        assert_eq!(millis(&row[1]), start + 3000);
        assert_rounded(number(&row[2]), *paid, "total");
        assert_eq!(row[3], count.to_string());
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let average = paid / *count as f64;
        assert_rounded(number(&row[4]), average, "average");
    }
}

#[test]
fn transactions_generated() {
    let rows = 10_000;
    let got: Vec<Vec<String>> = printed("transactions", rows)
        .iter()
        .map(|line| fields(line, "+I[").into_iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(got.len(), 4, "ten seconds");
    assert_windows(&got, &windows(&events("transactions", rows)));
}

/// Keyed by user, spread over three partitions: a window closes when all of them have passed it.
#[test]
fn transactions_through_kafka() {
    let Some(kafka) = Kafka::open() else { return };
    let Some(topic) = kafka.topic("transactions", 3) else { return };
    let output = unique("paid_totals");
    let columns = "event_timestamp STRING, user_id STRING, transaction_id STRING, total_paid DOUBLE, status STRING";
    let format = "'key.format' = 'raw', 'key.fields' = 'user_id', 'value.format' = 'json'";
    let keyed = kafka.table("keyed", columns, &topic, format);
    let script = format!(
        "{keyed} CREATE TABLE events ({columns})
         WITH ('connector' = 'filesystem', 'path' = 'events.json', 'format' = 'json');
         INSERT INTO keyed SELECT * FROM events;"
    );
    let events = events("transactions", 8000);
    let place = Place::with(&[("send.sql", &script)]);
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    place.write("events.json", lines.join("\n"));
    place.ok(&["run", "--quiet", "send.sql"]);
    let sent = kafka.records(&topic);
    assert_eq!(sent.len(), events.len());
    assert!(
        sent.iter().all(|(key, value)| value.as_ref().unwrap().contains(key.as_ref().unwrap()))
    );

    run_with_kafka("transactions", &kafka, &topic, &[("OUTPUT", &output)]);
    let mut got: Vec<Vec<String>> = kafka.values(&output).iter().map(window_fields).collect();
    got.sort_by_key(|row| millis(&row[0]));
    assert_eq!(got.len(), 3, "eight seconds");
    assert_windows(&got, &windows(&events));
}

/// Without an end to its input: what the watermark has passed is there, what it has not is not written at Ctrl-C.
#[test]
fn transactions_while_they_come() {
    let Some(kafka) = Kafka::open() else { return };
    let topic = unique("transactions");
    send_events("transactions", 8000, &kafka, &topic);
    let variables = [("SOURCE", "kafka"), ("BOOTSTRAP", &*kafka.servers), ("TOPIC", &topic)];
    let place = Place::new();
    let arguments = arguments(&example("transactions"), &variables);
    let mut running = Watched::start(place.command(&as_texts(&arguments)));
    running.printed("two windows", |lines| lines.len() == 2);
    assert!(running.runs(), "its input has no end");
    running.interrupt();
    let left = running.end();
    assert_eq!(left.code, Some(0), "{:?}", left.stderr);
    let got = left.stdout.iter().map(|line| fields(line, "+I["));
    let got: Vec<Vec<String>> =
        got.map(|row| row.into_iter().map(str::to_owned).collect()).collect();
    let mut wanted = windows(&events("transactions", 8000));
    wanted.pop_last();
    assert_windows(&got, &wanted);
}

// Sessions.

pub(crate) const SESSION: [&str; 16] = [
    "person_name",
    "user_name",
    "email",
    "personal_number",
    "birth_date",
    "address",
    "phone_number",
    "mac_address",
    "ip_address",
    "iban",
    "accessed_at",
    "session_duration",
    "download_speed",
    "upload_speed",
    "consumed_traffic",
    "unique_id",
];

#[test]
fn sessions_generated() {
    let lines = printed("sessions", ROWS);
    let events = events("sessions", ROWS);
    assert_eq!((lines.len(), events.len()), (ROWS, ROWS));
    for (line, event) in lines.iter().zip(&events) {
        // `accessed_at` lies in the day before the run.
        let texts = |names: &[&str]| {
            names.iter().map(|name| shown(&event[*name])).collect::<Vec<_>>().join(", ")
        };
        let (before, after) = (texts(&SESSION[..10]), texts(&SESSION[11..]));
        let line = line.strip_prefix(&format!("+I[{before}, ")).unwrap_or_else(|| panic!("{line}"));
        let at = line.strip_suffix(&format!(", {after}]")).unwrap_or_else(|| panic!("{line}"));
        let day = 24 * 60 * 60 * 1000;
        let apart = millis(at) - millis(event["accessed_at"].as_str().unwrap());
        assert!(apart.abs() <= day, "{at}");
    }
    let iban = |event: &&Value| shown(&event["iban"]).starts_with("RO");
    assert_eq!(events.iter().filter(iban).count(), ROWS, "Romanian data");
}

#[test]
fn sessions_into_postgresql() {
    let Some(kafka) = Kafka::open() else { return };
    let Some(database) = Database::open("sessions") else { return };
    let topic = unique("sessions");
    send_events("sessions", ROWS, &kafka, &topic);
    let url = database.url();
    let variables = [
        ("SOURCE", "kafka"),
        ("SINK", "postgres"),
        ("BOOTSTRAP", &*kafka.servers),
        ("TOPIC", &topic),
        ("POSTGRES", &url),
        ("POSTGRES_USER", &database.user),
        ("POSTGRES_PASSWORD", &database.password),
    ];
    let place = Place::new();
    let arguments = arguments(&example("sessions"), &variables);
    let mut running = Watched::start(place.command(&as_texts(&arguments)));
    let table = "streaming_layer.streaming_data";
    let count = || {
        let there = database.rows(&format!("SELECT to_regclass('{table}') IS NOT NULL"));
        if there != ["t"] {
            return 0;
        }
        database.rows(&format!("SELECT count(*) FROM {table}"))[0].parse().unwrap()
    };
    let mut grows_to = |rows: usize| {
        let deadline = Deadline::new();
        loop {
            let count = count();
            assert!(count <= rows, "{count} rows instead of {rows}");
            if count == rows {
                return;
            }
            assert!(running.runs() && deadline.left().is_some(), "{count} rows instead of {rows}");
        }
    };
    grows_to(ROWS);
    let target = format!("kafka://{}/{topic}", kafka.servers);
    place.ok(&["gen", "--dataset", "sessions", "--count", "70", "--seed", "9", "--to", &target]);
    grows_to(ROWS + 70);
    running.interrupt();
    let left = running.end();
    assert_eq!(left.code, Some(0), "{:?}", left.stderr);
    assert_sessions(&database, table);
}

fn assert_sessions(database: &Database, table: &str) {
    let columns = "SELECT column_name FROM information_schema.columns
        WHERE table_schema || '.' || table_name";
    let names = database.rows(&format!("{columns} = '{table}' ORDER BY ordinal_position"));
    assert_eq!(names, SESSION);
    let wanted: BTreeSet<String> = events("sessions", ROWS)
        .iter()
        .map(|event| {
            let fields = SESSION.iter().filter(|name| **name != "accessed_at");
            fields.map(|name| shown(&event[*name])).collect::<Vec<_>>().join("|")
        })
        .collect();
    let names: Vec<&str> = SESSION.into_iter().filter(|name| *name != "accessed_at").collect();
    let got: BTreeSet<String> =
        database.rows(&format!("SELECT {} FROM {table}", names.join(", "))).into_iter().collect();
    let missing: Vec<&String> = wanted.difference(&got).take(3).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
