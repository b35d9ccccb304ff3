//! Sharing, order and reach of subexpressions, with a kernel that counts the rows it sees and fails on zero.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::Int64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use mainstem_core::{Error, TypeKind};

use super::*;
use crate::functions::Kernel;
use crate::operators::BinaryOp;

/// 100 / x: fails on zero, and adds the rows it saw to `seen`.
fn inverse(name: &str, seen: &Arc<AtomicUsize>) -> Bound {
    let seen = Arc::clone(seen);
    let kernel: Kernel = Arc::new(move |args, rows, _| {
        seen.fetch_add(rows, Ordering::Relaxed);
        let numbers = args[0].array().as_primitive::<Int64Type>();
        let quotient = numbers.try_unary::<_, Int64Type, Error>(|x| {
            100i64.checked_div(x).ok_or_else(|| Error::user("division by zero"))
        })?;
        Ok(Value::Array(Arc::new(quotient)))
    });
    call(name, None, vec![x()], kernel, TypeKind::BigInt)
}

fn call(
    name: &str,
    op: Option<BinaryOp>,
    args: Vec<Bound>,
    kernel: Kernel,
    kind: TypeKind,
) -> Bound {
    let kind_ = BoundKind::Call { name: name.to_owned(), op, args, kernel, deterministic: true };
    Bound { kind: kind_, data_type: kind.nullable() }
}

fn x() -> Bound {
    Bound::column(1, TypeKind::BigInt.nullable())
}

fn number(value: i64) -> Bound {
    Bound::literal(Arc::new(Int64Array::from(vec![value])), TypeKind::BigInt.not_null())
}

fn compare(op: BinaryOp, left: Bound, right: Bound) -> Bound {
    let kernel = crate::lift::datums(move |l, r| {
        let compare = if op == BinaryOp::Gt { arrow_ord::cmp::gt } else { arrow_ord::cmp::eq };
        Ok(Arc::new(compare(l, r)?) as ArrayRef)
    });
    call(
        if op == BinaryOp::Gt { ">" } else { "=" },
        Some(op),
        vec![left, right],
        kernel,
        TypeKind::Boolean,
    )
}

fn logic_of(and: bool, left: Bound, right: Bound) -> Bound {
    let kind = BoundKind::Logic(and, Box::new(left), Box::new(right));
    Bound { kind, data_type: TypeKind::Boolean.nullable() }
}

fn eval(expr: Bound, numbers: &[Option<i64>]) -> Result<ArrayRef> {
    let unread: ArrayRef = Arc::new(NullArray::new(numbers.len()));
    let columns = vec![unread, Arc::new(Int64Array::from(numbers.to_vec()))];
    let batch = Batch::new(columns, numbers.len());
    let cx = EvalContext { now_ms: 0, watermark_ms: None };
    compile(expr).eval(&batch, &cx)?.into_array(numbers.len())
}

#[test]
fn what_every_row_computes_is_computed_once() {
    let seen = Arc::new(AtomicUsize::new(0));
    let branch =
        |limit, value| (compare(BinaryOp::Gt, inverse("F", &seen), number(limit)), number(value));
    let kind = BoundKind::Case {
        branches: vec![branch(50, 1), branch(20, 2)],
        otherwise: Box::new(inverse("F", &seen)),
    };
    let case = Bound { kind, data_type: TypeKind::BigInt.nullable() };
    let values = eval(case, &[Some(1), Some(4), Some(10), None]).unwrap();
    let expected = Int64Array::from(vec![Some(1), Some(2), Some(10), None]);
    assert_eq!(values.as_primitive::<Int64Type>(), &expected);
    assert_eq!(seen.load(Ordering::Relaxed), 4, "four rows, once each");
}

#[test]
fn what_some_rows_do_not_reach_is_not_shared() {
    let seen = Arc::new(AtomicUsize::new(0));
    let is_zero = compare(BinaryOp::Eq, x(), number(0));
    let kind = BoundKind::Case {
        branches: vec![
            (is_zero, number(-1)),
            (compare(BinaryOp::Gt, inverse("F", &seen), number(20)), inverse("F", &seen)),
        ],
        otherwise: Box::new(number(0)),
    };
    let case = Bound { kind, data_type: TypeKind::BigInt.nullable() };
    let values = eval(case, &[Some(0), Some(4), Some(50)]).unwrap();
    assert_eq!(values.as_primitive::<Int64Type>().values(), &[-1, 25, 0]);
}

#[test]
fn a_side_that_fails_is_asked_where_the_other_leaves_it_open() {
    let seen = Arc::new(AtomicUsize::new(0));
    let cases = [
        // x <> 0 AND 100 / x > 20, x = 0 OR 100 / x > 20; NULL leaves both open.
        (
            true,
            vec![Some(0), Some(4), Some(50), None],
            vec![Some(false), Some(true), Some(false), None],
        ),
        (
            false,
            vec![Some(0), Some(4), Some(50), None],
            vec![Some(true), Some(true), Some(false), None],
        ),
    ];
    for (and, numbers, expected) in cases {
        let zero = compare(BinaryOp::Eq, x(), number(0));
        let left = if and { compare(BinaryOp::Gt, x(), number(0)) } else { zero };
        let right = compare(BinaryOp::Gt, inverse("F", &seen), number(20));
        let answers = eval(logic_of(and, left, right), &numbers).unwrap();
        assert_eq!(answers.as_boolean(), &BooleanArray::from(expected));
    }
    // Never the other way round: the left side is asked for all rows.
    let left = compare(BinaryOp::Gt, inverse("F", &seen), number(20));
    let right = compare(BinaryOp::Eq, x(), number(0));
    assert!(eval(logic_of(false, left, right), &[Some(0)]).is_err());
}
