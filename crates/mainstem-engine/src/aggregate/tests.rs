//! Every accumulator against a fresh one: groups that are absorbed, rows that are taken back, groups that are cleared.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, StringArray};
use mainstem_core::{DataType, TypeKind};
use proptest::prelude::*;

use super::{AggregateCall, AggregateFunction, builtin, json_arrayagg, json_objectagg, percentile};

/// A function, and its arguments made from integers.
struct Case {
    function: Arc<dyn AggregateFunction>,
    args: fn(&[Option<i64>]) -> Vec<ArrayRef>,
    /// The result tells in which order rows came.
    ordered: bool,
}

fn longs(values: &[Option<i64>]) -> Vec<ArrayRef> {
    vec![Arc::new(Int64Array::from(values.to_vec()))]
}

fn doubles(values: &[Option<i64>]) -> Vec<ArrayRef> {
    vec![Arc::new(values.iter().map(|v| v.map(|v| v as f64)).collect::<Float64Array>())]
}

fn strings(values: &[Option<i64>]) -> Vec<ArrayRef> {
    vec![Arc::new(values.iter().map(|v| v.map(|v| v.to_string())).collect::<StringArray>())]
}

fn elements(values: &[Option<i64>]) -> Vec<ArrayRef> {
    let text = |v: &Option<i64>| v.map_or("[]".to_owned(), |v| format!("[{v}]"));
    vec![Arc::new(StringArray::from_iter_values(values.iter().map(text)))]
}

fn cases() -> Vec<Case> {
    let named = |name: &str, kind: TypeKind| builtin(name, &[kind.nullable()]).expect(name).0;
    let mut cases = Vec::new();
    for (name, ordered) in [
        ("COUNT", false),
        ("SUM", false),
        ("$SUM0", false),
        ("AVG", false),
        ("MIN", false),
        ("MAX", false),
        ("FIRST_VALUE", true),
        ("LAST_VALUE", true),
        ("COLLECT", false),
        ("ARRAY_AGG", true),
    ] {
        let function = named(name, TypeKind::BigInt);
        cases.push(Case { function, args: longs, ordered });
    }
    for (name, ordered) in [("MIN", false), ("MAX", false), ("LISTAGG", true), ("LAST_VALUE", true)]
    {
        cases.push(Case { function: named(name, TypeKind::STRING), args: strings, ordered });
    }
    let function = named("$WELFORD_M2", TypeKind::Double);
    cases.push(Case { function, args: doubles, ordered: false });
    cases.push(Case { function: json_arrayagg(), args: elements, ordered: true });
    cases.push(Case { function: percentile(vec![0.3], None), args: doubles, ordered: false });
    cases
}

fn call(case: &Case, distinct: bool) -> AggregateCall {
    AggregateCall { function: Arc::clone(&case.function), args: vec![0], filter: None, distinct }
}

/// The result over `values` of an accumulator that has seen nothing else.
fn fresh(case: &Case, distinct: bool, values: &[Option<i64>]) -> ArrayRef {
    let mut accumulator = call(case, distinct).accumulator(false);
    let groups = vec![0; values.len()];
    accumulator.update(&(case.args)(values), &groups, 1, None, None).expect("updated");
    accumulator.finish(&[0]).expect("finished")
}

/// Equal, DOUBLEs but for their last digits.
fn same(found: &ArrayRef, expect: &ArrayRef) -> bool {
    let doubles = |array: &ArrayRef| array.as_primitive_opt::<Float64Type>()?.iter().next()?;
    match (doubles(found), doubles(expect)) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        _ => found == expect,
    }
}

proptest! {
    #[test]
    fn absorbed_groups_are_one(
        rows in prop::collection::vec((0u32..3, prop::option::weighted(0.8, 0i64..6)), 0..30),
        cut in 0usize..30,
        retractable: bool,
        distinct: bool,
    ) {
        for case in cases() {
            if distinct && case.ordered {
                continue;
            }
            let mut accumulator = call(&case, distinct).accumulator(retractable);
            let (first, second) = rows.split_at(cut.min(rows.len()));
            for rows in [first, second] {
                let groups: Vec<u32> = rows.iter().map(|row| row.0).collect();
                let values: Vec<_> = rows.iter().map(|row| row.1).collect();
                accumulator.update(&(case.args)(&values), &groups, 3, None, None).expect("updated");
            }
            accumulator.absorb(&[1, 2], &[0, 0], 3).expect("absorbed");
            let all: Vec<_> = rows.iter().map(|row| row.1).collect();
            let found = accumulator.finish(&[0, 1]).expect("finished");
            let name = case.function.name().to_owned();
            prop_assert!(same(&found.slice(0, 1), &fresh(&case, distinct, &all)), "{}", name);
            prop_assert_eq!(&found.slice(1, 1), &fresh(&case, distinct, &[]), "{} emptied", name);
        }
    }

    #[test]
    fn rows_that_are_taken_back_were_never_there(
        rows in prop::collection::vec((prop::option::weighted(0.8, 0i64..5), 0usize..3), 0..30),
        distinct: bool,
    ) {
        for case in cases() {
            if distinct && case.ordered {
                continue;
            }
            let mut accumulator = call(&case, distinct).accumulator(true);
            let mut held: Vec<Option<i64>> = Vec::new();
            for chunk in rows.chunks(4) {
                let (mut values, mut weights) = (Vec::new(), Vec::new());
                for &(value, action) in chunk {
                    // Of equal values the oldest goes.
                    let known = held.iter().position(|v| *v == value);
                    match known.filter(|_| action == 0) {
                        Some(at) => drop(held.remove(at)),
                        None => held.push(value),
                    }
                    weights.push(if action == 0 && known.is_some() { -1 } else { 1 });
                    values.push(value);
                }
                let groups = vec![0; values.len()];
                let args = (case.args)(&values);
                accumulator.update(&args, &groups, 1, None, Some(&weights)).expect("updated");
                let found = accumulator.finish(&[0]).expect("finished");
                let expect = fresh(&case, distinct, &held);
                prop_assert!(same(&found, &expect), "{}", case.function.name());
            }
            accumulator.clear(&[0]);
            let found = accumulator.finish(&[0]).expect("finished");
            prop_assert_eq!(&found, &fresh(&case, distinct, &[]), "{}", case.function.name());
        }
    }
}

/// One function over integers, as text.
fn check(name: &str, distinct: bool, values: &[Option<i64>], expect: &str) {
    let case = Case {
        function: builtin(name, &[TypeKind::BigInt.nullable()]).expect(name).0,
        args: longs,
        ordered: false,
    };
    let found = fresh(&case, distinct, values);
    let shown = match found.as_list_opt::<i32>() {
        Some(list) if list.is_valid(0) => {
            let items = list.value(0);
            let items = items.as_primitive::<Int64Type>().iter();
            items
                .map(|v| v.map_or("NULL".to_owned(), |v| v.to_string()))
                .collect::<Vec<_>>()
                .join(",")
        }
        _ if found.is_null(0) => "NULL".to_owned(),
        _ => found.as_primitive::<Int64Type>().value(0).to_string(),
    };
    assert_eq!(shown, expect, "{name} over {values:?}");
}

#[test]
fn results() {
    check("ARRAY_AGG", false, &[Some(1), None, Some(1)], "1,NULL,1");
    check("ARRAY_AGG", true, &[Some(1), None, Some(1), None], "1,NULL");
    check("ARRAY_AGG", false, &[], "NULL");
    check("SINGLE_VALUE", false, &[None], "NULL");
    check("SINGLE_VALUE", false, &[Some(3)], "3");
    check("FIRST_VALUE", false, &[None, Some(2), Some(3)], "2");
    check("LAST_VALUE", false, &[Some(2), Some(3), None], "3");
}

#[test]
fn one_value_of_several_is_refused() {
    let (function, _) = builtin("SINGLE_VALUE", &[TypeKind::BigInt.nullable()]).expect("known");
    let mut accumulator = function.accumulator(true);
    let values = longs(&[Some(1), Some(1)]);
    accumulator.update(&values, &[0, 0], 1, None, None).expect("updated");
    assert!(accumulator.finish(&[0]).is_err());
    accumulator.update(&longs(&[Some(1)]), &[0], 1, None, Some(&[-1])).expect("updated");
    assert_eq!(accumulator.finish(&[0]).expect("one").as_primitive::<Int64Type>().value(0), 1);
}

#[test]
fn objects_have_each_key_once() {
    let function = json_objectagg().expect("texts can be kept");
    let text = |values: &[&str]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let mut accumulator = function.accumulator(true);
    let args = vec![text(&["b", "a", "c"]), text(&[r#"{"b":1}"#, r#"{"a":[2]}"#, "{}"])];
    accumulator.update(&args, &[0, 0, 0], 2, None, None).expect("updated");
    let found = accumulator.finish(&[0, 1]).expect("finished");
    assert_eq!(found.as_string::<i32>().value(0), r#"{"a":[2],"b":1}"#);
    assert_eq!(found.as_string::<i32>().value(1), "{}");
    // A new value before the old one is taken back, in one step.
    let args = vec![text(&["a"]), text(&[r#"{"a":3}"#])];
    accumulator.update(&args, &[0], 2, None, Some(&[1])).expect("updated");
    assert!(accumulator.finish(&[0]).is_err());
    let args = vec![text(&["a"]), text(&[r#"{"a":[2]}"#])];
    accumulator.update(&args, &[0], 2, None, Some(&[-1])).expect("updated");
    let found = accumulator.finish(&[0]).expect("finished");
    assert_eq!(found.as_string::<i32>().value(0), r#"{"a":3,"b":1}"#);
}

#[test]
fn percentiles() {
    let rows: &[(&[Option<i64>], f64, Option<f64>)] = &[
        (&[], 0.5, None),
        (&[None], 0.5, None),
        (&[Some(4)], 0.9, Some(4.0)),
        (&[Some(1), Some(2), Some(3), Some(4)], 0.5, Some(2.5)),
        (&[Some(4), Some(1), Some(3), Some(2)], 1.0, Some(4.0)),
        (&[Some(10), Some(20)], 0.25, Some(12.5)),
    ];
    for (values, percentage, expect) in rows {
        let function = percentile(vec![*percentage], None);
        let case = Case { function, args: doubles, ordered: false };
        let found = fresh(&case, false, values);
        let found = found.as_primitive::<Float64Type>();
        assert_eq!(found.iter().next().flatten(), *expect, "{values:?} at {percentage}");
    }
    let list = TypeKind::Array(Box::new(TypeKind::Double.nullable())).nullable();
    let case = Case {
        function: percentile(vec![0.0, 0.5], Some(DataType::to_arrow(&list))),
        args: doubles,
        ordered: false,
    };
    let found = fresh(&case, false, &[Some(1), Some(2)]);
    let found = found.as_list::<i32>().value(0);
    assert_eq!(found.as_ref(), &Float64Array::from(vec![1.0, 1.5]));
}
