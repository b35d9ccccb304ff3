//! GROUP BY as a changelog against recomputation, and each function against rows of data.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float32Array, Int8Array, Int32Array,
};
use mainstem_core::egress::ChangelogMode;
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::aggregate::{AggregateCall, builtin};
use mainstem_engine::plan::{NodeKind, Plan};
use proptest::prelude::*;

use crate::support::*;
use crate::windows::call;

/// key, value: COUNT(*), COUNT(v), SUM, MIN, MAX, AVG, COUNT(DISTINCT v), SUM(v) FILTER (v > 5).
fn plan(changelog: bool, final_only: bool, keyed: bool, sink: ChangelogMode) -> Plan {
    let mut plan = PlanBuilder::default();
    let source = plan.source(vec![INT, INT], changelog);
    let exprs = vec![column(0), column(1), where_int(1, |v| v > 5)];
    let types = vec![INT, INT, arrow_schema::DataType::Boolean];
    let project = plan.node(NodeKind::Project { exprs }, &[source], types, changelog);
    let keys = if keyed { vec![0] } else { vec![] };
    let exchange = plan.exchange(project, &keys);
    let big = [TypeKind::BigInt];
    let mut aggregates = vec![
        call("COUNT", &[], &[]),
        call("COUNT", &[1], &big),
        call("SUM", &[1], &big),
        call("MIN", &[1], &big),
        call("MAX", &[1], &big),
        call("AVG", &[1], &big),
    ];
    if changelog {
        aggregates.push(AggregateCall { distinct: true, ..call("COUNT", &[1], &big) });
    }
    aggregates.push(AggregateCall { filter: Some(2), ..call("SUM", &[1], &big) });
    let output = vec![INT; keys.len() + aggregates.len()];
    let kind = NodeKind::Aggregate { keys, aggregates, final_only };
    let node = plan.node(kind, &[exchange], output, true);
    plan.sink(node, sink);
    plan.build()
}

type Row = (Option<i64>, Option<i64>);

fn naive(rows: &BTreeMap<Row, i64>, changelog: bool, keyed: bool) -> Folded {
    let mut groups: BTreeMap<Option<i64>, Vec<Option<i64>>> = BTreeMap::new();
    for (&(key, value), &weight) in rows {
        let key = if keyed { key } else { None };
        let values = groups.entry(key).or_default();
        values.extend((0..weight).map(|_| value));
    }
    let mut folded = Folded::default();
    let show = |v: Option<i64>| v.map_or("NULL".to_owned(), |v| v.to_string());
    for (key, values) in groups {
        let known: Vec<i64> = values.iter().flatten().copied().collect();
        let sum = (!known.is_empty()).then(|| known.iter().sum::<i64>());
        let filtered: Vec<i64> = known.iter().copied().filter(|&v| v > 5).collect();
        let mut cells = if keyed { vec![show(key)] } else { vec![] };
        cells.push(values.len().to_string());
        cells.push(known.len().to_string());
        cells.push(show(sum));
        cells.push(show(known.iter().min().copied()));
        cells.push(show(known.iter().max().copied()));
        cells.push(show(sum.map(|sum| sum / known.len() as i64)));
        if changelog {
            let mut different = known.clone();
            different.sort_unstable();
            different.dedup();
            cells.push(different.len().to_string());
        }
        cells.push(show((!filtered.is_empty()).then(|| filtered.iter().sum())));
        folded.add(cells.join(" "), 1);
    }
    folded
}

/// Random changes: positive numbers insert a row, negative ones take back one that is there.
fn any_steps() -> impl Strategy<Value = Vec<Vec<(Row, bool)>>> {
    let row = (prop::option::weighted(0.9, 0i64..4), prop::option::weighted(0.8, -3i64..12));
    prop::collection::vec(prop::collection::vec((row, prop::bool::weighted(0.6)), 0..20), 1..10)
}

proptest! {
    #[test]
    fn groups_are_their_rows(
        steps in any_steps(),
        workers in RESTARTED..4,
        changelog: bool,
        final_only: bool,
        keyed: bool,
    ) {
        let mut driver = Driver::new(&plan(changelog, final_only, keyed, ChangelogMode::Retract), workers);
        let upsert = plan(changelog, final_only, true, ChangelogMode::Upsert { key: vec![0] });
        let mut upserts = Driver::new(&upsert, workers);
        let mut by_key: BTreeMap<String, String> = BTreeMap::new();
        let mut held: BTreeMap<Row, i64> = BTreeMap::new();
        for step in steps {
            let mut changes: Vec<(Row, i64)> = Vec::new();
            for (row, insert) in step {
                let count = held.entry(row).or_insert(0);
                if insert || !changelog {
                    *count += 1;
                    changes.push((row, 1));
                } else if *count > 0 {
                    *count -= 1;
                    changes.push((row, -1));
                }
            }
            let batches = changes.chunks(4).map(|rows| {
                batch(
                    vec![
                        ints(rows.iter().map(|(row, _)| row.0)),
                        ints(rows.iter().map(|(row, _)| row.1)),
                    ],
                    changelog.then(|| rows.iter().map(|(_, weight)| *weight).collect()),
                )
            });
            held.retain(|_, weight| *weight != 0);
            let batches: Vec<_> = batches.collect();
            driver.step(0, vec![batches.clone()], false);
            upserts.step(0, vec![batches], false);
            let mut seen = std::collections::BTreeSet::new();
            for (row, weight) in upserts.last[0].iter().flat_map(lines) {
                let key = row.split(' ').next().unwrap().to_owned();
                prop_assert!(seen.insert(key.clone()), "one row a key and step");
                if weight > 0 {
                    by_key.insert(key, row);
                } else {
                    prop_assert!(by_key.remove(&key).is_some(), "only what is there goes");
                }
            }
            if !final_only {
                let expect = naive(&held, changelog, keyed);
                prop_assert_eq!(&driver.folded[0], &expect, "after every step");
                let rows: Vec<_> = by_key.values().cloned().collect();
                let expect = naive(&held, changelog, true);
                let mut expect: Vec<_> = expect.0.into_keys().collect();
                expect.sort_by_key(|row| row.split(' ').next().unwrap().to_owned());
                prop_assert_eq!(rows, expect, "the last upserts are the table");
            }
        }
        driver.end();
        prop_assert_eq!(&driver.folded[0], &naive(&held, changelog, keyed));
    }
}

fn aggregate_all(name: &str, types: &[TypeKind], args: &[ArrayRef]) -> (ArrayRef, DataType) {
    let types: Vec<DataType> = types.iter().map(|kind| kind.clone().nullable()).collect();
    let (function, returns) = builtin(name, &types).unwrap();
    let rows = args[0].len();
    let mut whole = function.accumulator(false);
    whole.update(args, &vec![0; rows], 2, None, None).unwrap();
    let result = whole.finish(&[0, 1]).unwrap();
    assert_eq!(result.data_type(), &returns.to_arrow(), "{name} has the type it says");
    if function.state_types().is_some() {
        let mut merged = function.accumulator(false);
        for row in 0..rows {
            let mut part = function.accumulator(false);
            let args: Vec<_> = args.iter().map(|arg| arg.slice(row, 1)).collect();
            part.update(&args, &[3], 4, None, None).unwrap();
            merged.merge(&part.state(&[3]).unwrap(), &[0], 2).unwrap();
        }
        assert_eq!(&merged.finish(&[0, 1]).unwrap(), &result, "{name} by parts");
    }
    whole.clear(&[0]);
    assert_eq!(
        &whole.finish(&[0]).unwrap(),
        &function.accumulator(false).finish(&[0]).unwrap(),
        "{name} cleared"
    );
    (result, returns)
}

fn decimal(values: &[Option<i128>], precision: u8, scale: i8) -> ArrayRef {
    let array: Decimal128Array = values.iter().copied().collect();
    Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
}

#[test]
fn functions_follow_flink() {
    let int = |values: &[Option<i32>]| -> ArrayRef {
        Arc::new(values.iter().copied().collect::<Int32Array>())
    };
    let check = |name: &str, kind: TypeKind, arg: ArrayRef, expect: ArrayRef| {
        let (result, _) = aggregate_all(name, &[kind], &[arg]);
        assert_eq!(&result, &expect, "{name}");
    };
    let some = int(&[Some(7), None, Some(-2), Some(4)]);
    check("sum", TypeKind::Int, Arc::clone(&some), int(&[Some(9), None]));
    check("$SUM0", TypeKind::Int, Arc::clone(&some), int(&[Some(9), Some(0)]));
    check("AVG", TypeKind::Int, Arc::clone(&some), int(&[Some(3), None]));
    check("AVG", TypeKind::Int, int(&[Some(-7), Some(4)]), int(&[Some(-1), None]));
    check("MIN", TypeKind::Int, Arc::clone(&some), int(&[Some(-2), None]));
    check("MAX", TypeKind::Int, Arc::clone(&some), int(&[Some(7), None]));
    check("COUNT", TypeKind::Int, Arc::clone(&some), ints([Some(3), Some(0)]));
    check("FIRST_VALUE", TypeKind::Int, int(&[None, Some(3), Some(1)]), int(&[Some(3), None]));
    check("LAST_VALUE", TypeKind::Int, int(&[Some(3), Some(1), None]), int(&[Some(1), None]));
    check("SUM", TypeKind::Int, int(&[Some(i32::MAX), Some(1)]), int(&[Some(i32::MIN), None]));
    let tiny: ArrayRef = Arc::new(Int8Array::from(vec![100, 100]));
    check(
        "SUM",
        TypeKind::TinyInt,
        Arc::clone(&tiny),
        Arc::new(Int8Array::from(vec![Some(-56), None])),
    );
    check("AVG", TypeKind::TinyInt, tiny, Arc::new(Int8Array::from(vec![Some(100), None])));
    let floats: ArrayRef = Arc::new(Float32Array::from(vec![1.5, 2.0]));
    check("AVG", TypeKind::Float, floats, Arc::new(Float32Array::from(vec![Some(1.75), None])));
    check(
        "MAX",
        TypeKind::STRING,
        texts(&["b", "ab", "é"]),
        Arc::new(arrow_array::StringArray::from(vec![Some("é"), None])),
    );
    check(
        "LISTAGG",
        TypeKind::STRING,
        texts(&["b", "a"]),
        Arc::new(arrow_array::StringArray::from(vec![Some("b,a"), None])),
    );
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    check("MIN", TypeKind::Boolean, flags, Arc::new(BooleanArray::from(vec![Some(false), None])));
}

#[test]
fn decimals_follow_flink() {
    let kind = TypeKind::Decimal { precision: 5, scale: 2 };
    let values = decimal(&[Some(100), Some(25), Some(75), None], 5, 2);
    let (sum, returns) = aggregate_all("SUM", std::slice::from_ref(&kind), &[Arc::clone(&values)]);
    assert_eq!(returns.kind, TypeKind::Decimal { precision: 38, scale: 2 });
    assert_eq!(&sum, &decimal(&[Some(200), None], 38, 2));
    let (avg, returns) = aggregate_all("AVG", std::slice::from_ref(&kind), &[values]);
    assert_eq!(returns.kind, TypeKind::Decimal { precision: 38, scale: 6 });
    assert_eq!(&avg, &decimal(&[Some(666_667), None], 38, 6), "2.00 / 3 is rounded half up");
    let (avg, _) =
        aggregate_all("AVG", &[kind], &[decimal(&[Some(-100), Some(-50), Some(-50)], 5, 2)]);
    assert_eq!(&avg, &decimal(&[Some(-666_667), None], 38, 6));
    let kind = TypeKind::Decimal { precision: 38, scale: 0 };
    let huge = 10i128.pow(38) - 1;
    let (sum, _) = aggregate_all("SUM", &[kind], &[decimal(&[Some(huge), Some(1)], 38, 0)]);
    assert_eq!(&sum, &decimal(&[None, None], 38, 0), "more than 38 digits");
    let kind = TypeKind::Decimal { precision: 38, scale: 0 };
    let back = decimal(&[Some(huge), Some(huge), Some(-huge), Some(-huge)], 38, 0);
    let (sum, _) = aggregate_all("SUM", &[kind], &[back]);
    assert_eq!(&sum, &decimal(&[None, None], 38, 0), "an overflow is not forgotten");
}

#[test]
fn what_is_not_there_is_refused() {
    assert!(builtin("SUM", &[DataType::string()]).is_none());
    assert!(builtin("AVG", &[TypeKind::Date.nullable()]).is_none());
    assert!(builtin("MEDIAN", &[TypeKind::Int.nullable()]).is_none());
    let (_, returns) = builtin("count", &[]).unwrap();
    assert_eq!(returns, TypeKind::BigInt.not_null());
}

#[test]
fn min_and_max_can_take_back_values() {
    let (max, _) = builtin("MAX", &[TypeKind::Double.nullable()]).unwrap();
    let mut state = max.accumulator(true);
    let args = [doubles(&[1.0, -2.0, 3.5])];
    state.update(&args, &[0, 0, 0], 1, None, Some(&[1, 2, 1])).unwrap();
    assert_eq!(&state.finish(&[0]).unwrap(), &doubles(&[3.5]));
    state.update(&[doubles(&[3.5, 1.0])], &[0, 0], 1, None, Some(&[-1, -1])).unwrap();
    assert_eq!(&state.finish(&[0]).unwrap(), &doubles(&[-2.0]));
    state.update(&[doubles(&[-2.0])], &[0], 1, None, Some(&[-2])).unwrap();
    assert!(state.finish(&[0]).unwrap().is_null(0));
}
