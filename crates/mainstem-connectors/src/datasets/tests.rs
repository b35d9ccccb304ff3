//! The ready data sets: each table compiles, and its rows have the shape that its pipeline expects.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use mainstem_core::types::Field;
use mainstem_core::{DataType, TypeKind};

use super::*;
use crate::faker::FAKER;
use crate::generator::testing;

/// Just enough of SQL to read the declarations above.
struct Ddl {
    columns: Vec<(String, DataType)>,
    options: Vec<(String, String)>,
}

fn read(ddl: &str) -> Ddl {
    let (head, options) = ddl.split_once(") WITH (").unwrap();
    let columns = fields(head.split_once('(').unwrap().1);
    let columns = columns.into_iter().map(|f| (f.name, f.data_type)).collect();
    let unquote = |text: &str| {
        let text = text.trim().trim_end_matches(&[',', '\n', ')'][..]).trim();
        text[1..text.len() - 1].replace("''", "'")
    };
    let option = |line: &str| {
        let (key, value) = line.split_once(" = ")?;
        let value = value.trim_end_matches(',');
        Some((unquote(key), unquote(&format!("{value} "))))
    };
    let options = options.lines().filter_map(option).filter(|(k, _)| k != "connector").collect();
    Ddl { columns, options }
}

fn fields(text: &str) -> Vec<Field> {
    let mut depth = 0;
    let parts = text.split(|c: char| {
        depth += i32::from(c == '<') - i32::from(c == '>');
        c == ',' && depth == 0
    });
    let field = |part: &str| {
        let (name, kind) = part.trim().split_once(' ').unwrap();
        Field {
            name: name.trim_matches('`').to_owned(),
            data_type: kind_of(kind.trim()).nullable(),
        }
    };
    parts.map(field).collect()
}

fn kind_of(text: &str) -> TypeKind {
    if let Some(inner) = text.strip_prefix("ARRAY<") {
        return TypeKind::Array(Box::new(kind_of(inner.strip_suffix('>').unwrap()).nullable()));
    }
    if let Some(inner) = text.strip_prefix("ROW<") {
        return TypeKind::Row(fields(inner.strip_suffix('>').unwrap()));
    }
    match text {
        "INT" => TypeKind::Int,
        "BIGINT" => TypeKind::BigInt,
        "DOUBLE" => TypeKind::Double,
        "STRING" => TypeKind::STRING,
        "DATE" => TypeKind::Date,
        "TIMESTAMP(3)" => TypeKind::Timestamp { precision: 3 },
        other => panic!("a data set uses the type {other}"),
    }
}

fn made(name: &str, rows: u64) -> Vec<(String, ArrayRef)> {
    let ddl = read(dataset(name).unwrap().ddl);
    let columns: Vec<_> = ddl.columns.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    let options: Vec<_> = ddl.options.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let arrays = testing::columns(&FAKER, &columns, &options, 0..rows).unwrap();
    ddl.columns.into_iter().map(|(n, _)| n).zip(arrays).collect()
}

fn column<'a>(columns: &'a [(String, ArrayRef)], name: &str) -> &'a ArrayRef {
    &columns.iter().find(|(n, _)| n == name).unwrap().1
}

fn share(texts: &ArrayRef, is: impl Fn(&str) -> bool) -> f64 {
    let texts = texts.as_string::<i32>();
    texts.iter().flatten().filter(|t| is(t)).count() as f64 / texts.len() as f64
}

#[test]
fn every_data_set_is_made() {
    let widths =
        [("rides", 14), ("users", 2), ("bookings", 20), ("transactions", 5), ("sessions", 16)];
    assert_eq!(DATASETS.len(), widths.len());
    for (name, width) in widths {
        let columns = made(name, 500);
        assert_eq!(columns.len(), width, "{name}");
        assert!(columns.iter().all(|(_, c)| c.len() == 500));
        assert!(dataset(name).unwrap().ddl.starts_with(&format!("CREATE TABLE {name} (")));
    }
    assert_eq!(dataset("flights"), None);
}

#[test]
fn rides_have_bad_prices_and_few_dynamic_fares() {
    let rides = made("rides", 10_000);
    let price = column(&rides, "price");
    let nulls = price.null_count() as f64 / 1e4;
    assert!((0.04..0.06).contains(&nulls), "{nulls}");
    let prices = price.as_primitive::<Float64Type>();
    let zeros = prices.iter().flatten().filter(|p| *p == 0.0).count() as f64 / 1e4;
    assert!((0.08..0.11).contains(&zeros), "{zeros}");
    let surge = column(&rides, "surge_multiplier").as_primitive::<Float64Type>();
    let dynamic = surge.values().iter().filter(|s| **s > 1.0).count() as f64 / 1e4;
    assert!((0.18..0.22).contains(&dynamic), "{dynamic}");
}

#[test]
fn transactions_come_one_a_millisecond() {
    let transactions = made("transactions", 10_000);
    let times = column(&transactions, "event_timestamp").as_string::<i32>();
    assert_eq!(times.value(0), "2026-01-01 00:00:00.000");
    assert_eq!(times.value(9_999), "2026-01-01 00:00:09.999");
    let paid = share(column(&transactions, "status"), |s| s == "Paid");
    assert!((0.73..0.77).contains(&paid), "{paid}");
    let users = column(&transactions, "user_id").as_string::<i32>();
    let mut users: Vec<_> = users.iter().flatten().collect();
    users.sort_unstable();
    users.dedup();
    assert_eq!(users.len(), 10);
}

#[test]
fn bookings_have_stays_of_all_kinds() {
    let bookings = made("bookings", 5_000);
    let (first, last) = (column(&bookings, "srch_ci"), column(&bookings, "srch_co"));
    assert!(first.null_count() > 50 && last.null_count() > 50);
    let day = |t: &str| t[8..].parse::<i32>().unwrap();
    let stays = first.as_string::<i32>().iter().zip(last.as_string::<i32>());
    let lengths: Vec<i32> = stays.filter_map(|(a, b)| Some(day(b?) - day(a?))).collect();
    for range in [-10..1, 1..5, 5..11, 11..15, 15..40] {
        let count = lengths.iter().filter(|l| range.contains(*l)).count();
        assert!(count > 100, "{range:?}: {count}");
    }
}

#[test]
fn users_are_nested() {
    let users = made("users", 100);
    let results = column(&users, "results").as_list::<i32>();
    let user = results.values().as_struct();
    let login = user.column_by_name("login").unwrap().as_struct();
    assert_eq!(login.column_by_name("sha256").unwrap().as_string::<i32>().value(7).len(), 64);
    let location = user.column_by_name("location").unwrap().as_struct();
    let digits = share(location.column_by_name("postcode").unwrap(), |p| p.parse::<u32>().is_ok());
    assert!((0.6..0.9).contains(&digits), "{digits}");
    let born = user.column_by_name("dob").unwrap().as_struct();
    assert!(born.column(0).as_string::<i32>().value(0).ends_with("T00:00:00.000Z"));
}

#[test]
fn sessions_are_romanian() {
    let sessions = made("sessions", 200);
    assert_eq!(share(column(&sessions, "iban"), |i| i.starts_with("RO") && i.len() == 24), 1.0);
    assert_eq!(share(column(&sessions, "personal_number"), |n| n.len() == 13), 1.0);
    assert!(share(column(&sessions, "address"), |a| a.contains(", jud. ")) > 0.99);
    assert!(share(column(&sessions, "email"), |e| e.is_ascii()) > 0.99);
}
