//! Nexmark events: proportions, event times, equal events in wide and flat tables.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef};
use mainstem_core::types::Field;
use mainstem_core::{DataType, TypeKind};

use super::*;
use crate::generator::testing;

const N: u64 = 50_000;

fn bigint() -> DataType {
    TypeKind::BigInt.nullable()
}

fn flat(table: &str, columns: &[(&str, DataType)], options: &[(&str, &str)]) -> Vec<ArrayRef> {
    let mut options = options.to_vec();
    options.push(("nexmark.table", table));
    testing::columns(&NEXMARK, columns, &options, 0..N).unwrap()
}

fn person() -> Vec<(&'static str, DataType)> {
    let texts = ["name", "emailAddress", "creditCard", "city", "state"];
    let mut fields = vec![("id", bigint())];
    fields.extend(texts.map(|t| (t, DataType::string())));
    fields.extend([("dateTime", testing::timestamp()), ("extra", DataType::string())]);
    fields
}

fn auction() -> Vec<(&'static str, DataType)> {
    vec![
        ("id", bigint()),
        ("itemName", DataType::string()),
        ("description", DataType::string()),
        ("initialBid", bigint()),
        ("reserve", bigint()),
        ("dateTime", testing::timestamp()),
        ("expires", testing::timestamp()),
        ("seller", bigint()),
        ("category", bigint()),
        ("extra", DataType::string()),
    ]
}

fn bid() -> Vec<(&'static str, DataType)> {
    vec![
        ("auction", bigint()),
        ("bidder", bigint()),
        ("price", bigint()),
        ("channel", DataType::string()),
        ("url", DataType::string()),
        ("dateTime", testing::timestamp()),
        ("extra", DataType::string()),
    ]
}

fn row(fields: &[(&str, DataType)]) -> DataType {
    let fields = fields
        .iter()
        .map(|(name, t)| Field { name: (*name).into(), data_type: t.clone() })
        .collect();
    TypeKind::Row(fields).nullable()
}

fn wide() -> Vec<(&'static str, DataType)> {
    vec![
        ("event_type", TypeKind::Int.nullable()),
        ("person", row(&person())),
        ("auction", row(&auction())),
        ("bid", row(&bid())),
    ]
}

fn longs(array: &ArrayRef) -> &[i64] {
    array.as_primitive::<Int64Type>().values()
}

fn share(values: &[i64], is: impl Fn(&i64) -> bool) -> f64 {
    values.iter().filter(|v| is(v)).count() as f64 / values.len() as f64
}

fn average_size(columns: &[ArrayRef], without: &[usize]) -> f64 {
    let size = |c: &ArrayRef| match c.as_string_opt::<i32>() {
        Some(texts) => texts.values().len(),
        None => c.len() * 8,
    };
    let all = columns.iter().enumerate().filter(|(i, _)| !without.contains(i));
    all.map(|(_, c)| size(c)).sum::<usize>() as f64 / columns[0].len() as f64
}

#[test]
fn kinds_come_one_to_three_to_forty_six() {
    let counts = [("person", person()), ("auction", auction()), ("bid", bid())]
        .map(|(table, fields)| flat(table, &fields[..1], &[])[0].len() as u64);
    assert_eq!(counts, [N / 50, N * 3 / 50, N * 46 / 50]);
}

#[test]
fn the_wide_table_holds_the_same_events_as_the_flat_ones() {
    let wide = testing::columns(&NEXMARK, &wide(), &[], 0..N).unwrap();
    let types = wide[0].as_primitive::<Int32Type>().values();
    assert_eq!(types[..5], [0, 1, 1, 1, 2]);
    for (index, (table, fields)) in
        [("person", person()), ("auction", auction()), ("bid", bid())].into_iter().enumerate()
    {
        let column = wide[index + 1].as_struct();
        let is_kind: arrow_array::BooleanArray =
            types.iter().map(|t| Some(*t == index as i32)).collect();
        assert_eq!(column.nulls().unwrap().inner(), is_kind.values());
        for (inner, flat) in column.columns().iter().zip(flat(table, &fields, &[])) {
            assert_eq!(&arrow_select::filter::filter(inner, &is_kind).unwrap(), &flat);
        }
    }
}

#[test]
fn cuts_do_not_matter() {
    testing::assert_cuts_do_not_matter(&NEXMARK, &wide(), &[]);
    testing::assert_cuts_do_not_matter(&NEXMARK, &bid(), &[("nexmark.table", "bid")]);
    testing::assert_cuts_do_not_matter(&NEXMARK, &person(), &[("nexmark.table", "person")]);
}

#[test]
fn bids_are_distributed_as_the_references() {
    let columns = flat("bid", &bid(), &[]);
    let hot_auctions = share(longs(&columns[0]), |v| v % 100 == 0);
    assert!((0.49..0.53).contains(&hot_auctions), "{hot_auctions}");
    let hot_bidders = share(longs(&columns[1]), |v| v % 100 == 1);
    assert!((0.74..0.78).contains(&hot_bidders), "{hot_bidders}");
    let prices = longs(&columns[2]);
    assert!(prices.iter().all(|p| (100..=100_000_000).contains(p)));
    let cheap = share(prices, |p| *p < 100_000);
    assert!(
        (0.49..0.51).contains(&cheap),
        "half of the prices are below the middle power: {cheap}"
    );
    let channels = columns[3].as_string::<i32>();
    let urls = columns[4].as_string::<i32>();
    let rows = || channels.iter().flatten().zip(urls.iter().flatten());
    let hot = |c: &str| ["Google", "Facebook", "Baidu", "Apple"].contains(&c);
    let hot_share = rows().filter(|(c, _)| hot(c)).count() as f64 / channels.len() as f64;
    assert!((0.49..0.51).contains(&hot_share), "{hot_share}");
    assert!(rows().filter(|(c, _)| hot(c)).all(|(_, u)| u.ends_with("/item.htm?query=1")));
    let ids = rows().filter(|(_, u)| u.contains("&channel_id=")).count() as f64;
    let ids = ids / channels.len() as f64;
    assert!((0.43..0.47).contains(&ids), "nine in ten other channels have an id: {ids}");
    let size = average_size(&columns, &[3, 4]);
    assert!((98.0..102.0).contains(&size), "{size}");
}

#[test]
fn people_and_auctions_are_distributed_as_the_references() {
    let people = flat("person", &person(), &[]);
    assert_eq!(longs(&people[0])[..3], [1000, 1001, 1002]);
    let size = average_size(&people, &[6]);
    assert!((196.0..204.0).contains(&size), "{size}");
    let auctions = flat("auction", &auction(), &[]);
    assert_eq!(longs(&auctions[0])[..4], [1000, 1001, 1002, 1003]);
    let size = average_size(&auctions, &[]);
    assert!((490.0..515.0).contains(&size), "{size}");
    let hot = share(longs(&auctions[7]), |v| v % 100 == 0);
    assert!((0.73..0.79).contains(&hot), "{hot}");
    assert!(longs(&auctions[8]).iter().all(|c| (10..15).contains(c)));
    assert!(
        longs(&auctions[3]).iter().zip(longs(&auctions[4])).all(|(first, reserve)| first < reserve)
    );
    let times = |i: usize| auctions[i].as_primitive::<TimestampMillisecondType>().values();
    let lengths: Vec<i64> = times(6).iter().zip(times(5)).map(|(e, t)| e - t).collect();
    // 100 auctions in flight are 1666 events, which is 166 ms at 10000 events/s; lengths reach to twice that.
    assert!(lengths.iter().all(|l| (1..=334).contains(l)));
    let mean = lengths.iter().sum::<i64>() as f64 / lengths.len() as f64;
    assert!((155.0..180.0).contains(&mean), "{mean}");
}

#[test]
fn the_rate_spaces_event_time() {
    let options = [("first-event.rate", "1000"), ("base-time", "2026-01-01 00:00:00")];
    let made = flat("bid", &bid()[5..6], &options);
    let times = made[0].as_primitive::<TimestampMillisecondType>().values();
    let base = 1_767_225_600_000;
    assert_eq!(times[..3], [base + 4, base + 5, base + 6]);
    assert_eq!(times[46], base + 54);
}

#[test]
fn options_limit_and_slow_the_events() {
    let rows: [(&[(&str, &str)], Option<u64>, Option<u64>); 5] = [
        (&[], None, None),
        (&[("events.num", "7")], None, Some(7)),
        (&[("events.num", "7"), ("stop-at", "5"), ("number-of-rows", "6")], None, Some(5)),
        (&[("max-emit-speed", "false")], Some(10_000), None),
        (&[("rows-per-second", "9")], Some(9), None),
    ];
    for (options, rows_per_second, rows_max) in rows {
        let request = testing::request(&[], options);
        let reader = OptionReader::new(&request.table.options, OPTIONS);
        let made = pace(reader, &Config::read(reader).unwrap()).unwrap();
        assert_eq!(made, Pace { rows_per_second, rows_max }, "{options:?}");
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let none: &[(&str, &str)] = &[];
    let flat: &[(&str, &str)] = &[("nexmark.table", "bid")];
    let rows: [((&str, DataType), &[(&str, &str)], &str); 9] = [
        (("bids", bigint()), none, "its columns are event_type INT and the ROWs"),
        (("price", bigint()), none, "set 'nexmark.table' = 'bid'"),
        (("event_type", bigint()), none, "nexmark makes INT"),
        (("bid", bigint()), none, "ROW<auction BIGINT, bidder BIGINT"),
        (("bid", row(&[("prize", bigint())])), none, "did you mean 'price'?"),
        (("price", DataType::string()), flat, "declare 'price' as BIGINT"),
        (("bider", bigint()), flat, "did you mean 'bidder'?"),
        (("price", bigint()), &[("nexmark.table", "bids")], "one of person, auction, bid"),
        (("price", bigint()), &[("next-event.rate", "7")], "give both the same value"),
    ];
    for (column, options, expected) in rows {
        let error = testing::columns(&NEXMARK, &[column], options, 0..10).unwrap_err();
        let text = format!("{error} [{}]", error.hint().unwrap_or("no hint"));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn filters_keep_exactly_the_rows_that_pass() {
    use arrow_array::BooleanArray;
    use arrow_select::filter::filter;
    use mainstem_core::table::{FilterOp, Literal, ScanFilter};
    let check = |columns: &[(&str, DataType)],
                 options: &[(&str, &str)],
                 filters: Vec<ScanFilter>,
                 passes: &dyn Fn(&[ArrayRef], usize) -> bool| {
        let all = testing::columns(&NEXMARK, columns, options, 0..5000).unwrap();
        let request = SourceRequest { filters, ..testing::request(columns, options) };
        let decoder = NEXMARK.source(request).unwrap().decoder().unwrap();
        let kept = testing::decode(decoder, &[(0, 1234), (1234, 3766)]);
        let mask: BooleanArray =
            (0..all[0].len()).map(|row| Some(passes(&all, row))).collect::<Vec<_>>().into();
        assert!(mask.true_count() > 0 && mask.true_count() < mask.len());
        for (all, kept) in all.iter().zip(&kept) {
            assert_eq!(&filter(all, &mask).unwrap(), kept);
        }
    };
    let of = |column, op, literal| ScanFilter { column, op, literal };
    let types = |all: &[ArrayRef], row| all[0].as_primitive::<Int32Type>().value(row);
    let kind = |op, value| vec![of(0, op, Literal::Integer(value))];
    check(&wide(), &[], kind(FilterOp::Eq, 2), &|all, row| types(all, row) == 2);
    check(&wide(), &[], kind(FilterOp::NotEq, 1), &|all, row| types(all, row) != 1);
    check(&wide(), &[], kind(FilterOp::Lt, 2), &|all, row| types(all, row) < 2);
    let is_auction = vec![of(2, FilterOp::IsNotNull, Literal::Boolean(true))];
    check(&wide(), &[], is_auction, &|all, row| types(all, row) == 1);
    let flat = [("nexmark.table", "bid")];
    let cheap_on_google = vec![
        of(2, FilterOp::LtEq, Literal::Integer(10_000)),
        of(3, FilterOp::Eq, Literal::String("Google".to_owned())),
    ];
    check(&bid(), &flat, cheap_on_google, &|all, row| {
        longs(&all[2])[row] <= 10_000 && all[3].as_string::<i32>().value(row) == "Google"
    });
}

#[test]
fn a_row_may_be_declared_with_some_of_its_fields() {
    let all = testing::columns(&NEXMARK, &wide(), &[], 0..500).unwrap();
    let some = vec![("bid", row(&[bid()[6].clone(), bid()[2].clone()]))];
    let some = testing::columns(&NEXMARK, &some, &[], 0..500).unwrap();
    let (all, some) = (all[3].as_struct(), some[0].as_struct());
    assert_eq!(all.nulls(), some.nulls());
    assert_eq!((some.column(0), some.column(1)), (all.column(6), all.column(2)));
}
