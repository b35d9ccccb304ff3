//! The generator `datagen` by rows and distributions: the same seed and row give the same values, whatever the cuts.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef};
use mainstem_core::types::Field;
use mainstem_core::{DataType, TypeKind};

use super::*;
use crate::generator::testing;

fn columns(columns: &[(&str, DataType)], options: &[(&str, &str)]) -> Result<Vec<ArrayRef>> {
    testing::columns(&DATAGEN, columns, options, 0..100)
}

fn error(columns_: &[(&str, DataType)], options: &[(&str, &str)]) -> String {
    let error = columns(columns_, options).unwrap_err();
    format!("{error} [{}]", error.hint().unwrap_or("no hint"))
}

fn nested() -> DataType {
    let field =
        |name: &str, kind: TypeKind| Field { name: name.into(), data_type: kind.nullable() };
    TypeKind::Row(vec![field("a", TypeKind::Int), field("b", TypeKind::STRING)]).nullable()
}

#[test]
fn every_type_is_made() {
    let array = |t: DataType| TypeKind::Array(Box::new(t)).nullable();
    let kinds = [
        TypeKind::Boolean,
        TypeKind::TinyInt,
        TypeKind::SmallInt,
        TypeKind::Int,
        TypeKind::BigInt,
        TypeKind::Float,
        TypeKind::Double,
        TypeKind::Decimal { precision: 38, scale: 18 },
        TypeKind::Char { length: 5 },
        TypeKind::Varchar { length: 7 },
        TypeKind::STRING,
        TypeKind::Binary { length: 5 },
        TypeKind::BYTES,
        TypeKind::Date,
        TypeKind::Time { precision: 0 },
        TypeKind::Timestamp { precision: 3 },
        TypeKind::Timestamp { precision: 6 },
        TypeKind::TimestampLtz { precision: 9 },
        TypeKind::IntervalYearMonth,
        TypeKind::IntervalDayTime,
        array(nested()).kind,
        TypeKind::Map(Box::new(DataType::string()), Box::new(array(DataType::string()))),
        TypeKind::Multiset(Box::new(TypeKind::Boolean.nullable())),
        nested().kind,
    ];
    for kind in kinds {
        let data_type = kind.nullable();
        let made = columns(&[("f", data_type.clone())], &[("fields.f.null-rate", "0.2")]).unwrap();
        assert_eq!(made[0].data_type(), &data_type.to_arrow(), "{data_type}");
        assert_eq!(made[0].len(), 100);
        assert!((5..40).contains(&made[0].null_count()), "{data_type}: {}", made[0].null_count());
    }
}

#[test]
fn rows_depend_on_their_number_only() {
    let table = [
        ("i", TypeKind::Int.nullable()),
        ("s", DataType::string()),
        ("m", TypeKind::Map(Box::new(DataType::string()), Box::new(nested())).nullable()),
    ];
    testing::assert_cuts_do_not_matter(&DATAGEN, &table, &[("fields.s.null-rate", "0.5")]);
    let one = columns(&table, &[("seed", "1")]).unwrap();
    let two = columns(&table, &[("seed", "2")]).unwrap();
    assert_ne!(&one[0], &two[0]);
}

#[test]
fn bounds_hold() {
    let made = columns(
        &[("i", TypeKind::Int.nullable()), ("s", DataType::string()), ("t", testing::timestamp())],
        &[
            ("fields.i.min", "3"),
            ("fields.i.max", "5"),
            ("fields.s.length", "8"),
            ("fields.s.var-len", "true"),
            ("fields.t.max-past", "10 s"),
        ],
    )
    .unwrap();
    let mut seen: Vec<i32> = made[0].as_primitive::<Int32Type>().values().to_vec();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [3, 4, 5]);
    let lengths: Vec<usize> = made[1].as_string::<i32>().iter().map(|s| s.unwrap().len()).collect();
    assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&1), Some(&8)));
    let times = made[2].as_primitive::<TimestampMillisecondType>().values();
    let past = |ms: &i64| testing::NOW_MS - ms;
    assert!(times.iter().all(|t| (0..=10_000).contains(&past(t))));
    assert!(times.iter().any(|t| past(t) > 5_000));
}

#[test]
fn a_sequence_counts_and_ends_the_table() {
    let table = [("n", TypeKind::BigInt.nullable()), ("s", DataType::string())];
    let options = [
        ("fields.n.kind", "sequence"),
        ("fields.n.start", "5"),
        ("fields.n.end", "14"),
        ("fields.s.kind", "sequence"),
        ("fields.s.start", "-1"),
        ("fields.s.end", "100"),
    ];
    let request = testing::request(&table, &options);
    let (nodes, rows) = plan(&request, 0).unwrap();
    assert_eq!((nodes.len(), rows), (2, Some(10)));
    let made = columns(&table, &options).unwrap();
    assert_eq!(made[0].as_primitive::<Int64Type>().values()[..3], [5, 6, 7]);
    assert_eq!(made[1].as_string::<i32>().value(1), "0");
}

#[test]
fn what_is_wrong_is_refused() {
    let int = [("age", TypeKind::Int.nullable())];
    let rows: [(&[(&str, &str)], &str); 11] = [
        (&[("rows-per-secnd", "1")], "did you mean 'rows-per-second'?"),
        (&[("rows-per-second", "0")], "-1 for as fast as possible"),
        (&[("number-of-rows", "many")], "not a whole number"),
        (&[("fields.agee.min", "1")], "did you mean 'fields.age'?"),
        (&[("fields.age.mim", "1")], "did you mean 'fields.age.min'?"),
        (&[("fields.age.min", "x")], "not a whole number from -2147483648 to 2147483647"),
        (&[("fields.age.min", "2"), ("fields.age.max", "1")], "min is greater than max"),
        (&[("fields.age.kind", "serial")], "one of random, sequence"),
        (&[("fields.age.kind", "sequence")], "option 'fields.age.start' is missing"),
        (&[("fields.age.null-rate", "2")], "a number from 0 to 1"),
        (&[("fields.age.length", "2")], "option 'fields.age.length' is not known"),
    ];
    for (options, expected) in rows {
        let text = error(&int, options);
        assert!(text.contains(expected), "{options:?}: {text}");
    }
    let array = [("a", TypeKind::Array(Box::new(TypeKind::Int.nullable())).nullable())];
    let options = [
        ("fields.a.element.kind", "sequence"),
        ("fields.a.element.start", "1"),
        ("fields.a.element.end", "2"),
    ];
    assert!(error(&array, &options).contains("sequence in a collection"));
}

#[test]
fn only_projected_columns_are_made() {
    let table = [("a", TypeKind::Int.nullable()), ("b", TypeKind::BigInt.nullable())];
    let all = columns(&table, &[]).unwrap();
    let mut request = testing::request(&table, &[]);
    request.projection = vec![1];
    let made: Arc<Vec<Node>> = Arc::new(plan(&request, 0).unwrap().0);
    let some = testing::decode(Box::new(ColumnsDecoder::new(made)), &[(0, 100)]);
    assert_eq!(some.len(), 1);
    assert_eq!(&some[0], &all[1]);
}
