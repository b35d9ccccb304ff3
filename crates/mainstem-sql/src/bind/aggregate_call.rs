//! Aggregate calls as accumulators take them: which function, which arguments, which type; for GROUP BY and for OVER.
//! Invariant: variances and deviations are put together from other aggregates in Flink's way, which differs between
//! GROUP BY and OVER, so that they have its rounding and its types.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::aggregate::{
    AggregateFunction, array_agg, builtin, json_arrayagg, json_objectagg, percentile,
};

use super::aggregate::refuse;
use super::expr::ExprBinder;
use crate::ast::Call;
use crate::bound::Bound;
use crate::cast::CastMode;
use crate::error::{SqlError, SqlResult};
use crate::operators::BinaryOp;
use crate::source::Span;

/// An aggregate call with its arguments over the input.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) function: Arc<dyn AggregateFunction>,
    pub(super) args: Vec<Bound>,
    pub(super) data_type: DataType,
}

/// Which function a call of `name` (upper case) with bound arguments is.
pub(super) fn settle(
    binder: &ExprBinder<'_>,
    name: &str,
    call: &Call,
    args: Vec<Bound>,
    span: Span,
) -> SqlResult<Settled> {
    if call.ignore_nulls.is_some() && name != "ARRAY_AGG" {
        let message = format!("{name} takes no IGNORE NULLS or RESPECT NULLS");
        return Err(SqlError::new(message, span));
    }
    let args = match args.as_slice() {
        // Smaller integers widen.
        [small]
            if name.starts_with("BITMAP_BUILD")
                && small.data_type.kind.is_integer()
                && small.data_type.kind != TypeKind::BigInt =>
        {
            let int = TypeKind::Int.nullable();
            vec![binder.cast(small.clone(), &int, CastMode::Implicit, span)?]
        }
        _ => args,
    };
    let types: Vec<DataType> = args.iter().map(|a| a.data_type.clone()).collect();
    let text = TypeKind::Varchar { length: 2000 }.not_null();
    let (function, data_type) = match (name, types.as_slice()) {
        ("JSON_OBJECTAGG", [key, _]) if key.kind.is_string() => (json_objectagg(), text),
        ("JSON_ARRAYAGG", [_]) => (Some(json_arrayagg()), text),
        ("ARRAY_AGG", [input]) => {
            let output = TypeKind::Array(Box::new(input.clone())).nullable();
            let takes_nulls = !call.ignore_nulls.unwrap_or(false);
            (array_agg(&input.to_arrow(), &output.to_arrow(), takes_nulls), output)
        }
        ("PERCENTILE", [_, _] | [_, _, _]) => return settle_percentile(binder, args, span),
        _ => match builtin(name, &types) {
            Some((function, data_type)) => (Some(function), data_type),
            None => return Err(refuse(name, &types, span)),
        },
    };
    let function = function.ok_or_else(|| refuse(name, &types, span))?;
    Ok(Settled { function, args, data_type })
}

/// PERCENTILE(value, percentage or array of them [, frequency]).
fn settle_percentile(binder: &ExprBinder<'_>, args: Vec<Bound>, span: Span) -> SqlResult<Settled> {
    let mut args = args.into_iter();
    let (Some(value), Some(percentages), frequency) = (args.next(), args.next(), args.next())
    else {
        return Err(SqlError::new("usage: PERCENTILE(value, percentage [, frequency])", span));
    };
    for number in [Some(&value), frequency.as_ref()].into_iter().flatten() {
        if !number.data_type.kind.is_numeric() {
            let message = format!("PERCENTILE takes numbers, this is {}", number.data_type);
            return Err(SqlError::new(message, span));
        }
    }
    let (list, is_array) = constants(&percentages, span)?;
    if list.is_empty() || list.iter().any(|p| !(0.0..=1.0).contains(p)) {
        let message = "the percentages of PERCENTILE must be between 0 and 1";
        return Err(SqlError::new(message, span));
    }
    let double = TypeKind::Double.nullable();
    let mut settled = vec![binder.cast(value, &double, CastMode::Implicit, span)?];
    if let Some(frequency) = frequency {
        let long = TypeKind::BigInt.nullable();
        settled.push(binder.cast(frequency, &long, CastMode::Implicit, span)?);
    }
    let data_type = if is_array { TypeKind::Array(Box::new(double)).nullable() } else { double };
    let function = percentile(list, is_array.then(|| data_type.to_arrow()));
    Ok(Settled { function, args: settled, data_type })
}

/// A constant number, or the numbers of a constant array.
fn constants(expr: &Bound, span: Span) -> SqlResult<(Vec<f64>, bool)> {
    let refused = || {
        SqlError::new("the percentage must be a constant number or an array of them", span)
            .with_hint("PERCENTILE(price, 0.5) or PERCENTILE(price, ARRAY[0.5, 0.9])")
    };
    let value = expr.as_literal().filter(|v| v.is_valid(0)).ok_or_else(refused)?;
    let (values, is_array): (ArrayRef, bool) = match value.as_list_opt::<i32>() {
        Some(list) => (list.value(0), true),
        None => (Arc::clone(value), false),
    };
    let doubles = arrow_cast::cast(&values, &arrow_schema::DataType::Float64);
    let doubles = doubles.map_err(|_| refused())?;
    if doubles.null_count() > 0 || values.data_type() == &arrow_schema::DataType::Utf8 {
        return Err(refused());
    }
    Ok((doubles.as_primitive::<Float64Type>().values().to_vec(), is_array))
}

/// True for the functions that [`variance`] puts together.
pub(super) fn is_variance(name: &str) -> bool {
    matches!(name, "STDDEV" | "STDDEV_POP" | "STDDEV_SAMP" | "VARIANCE" | "VAR_POP" | "VAR_SAMP")
}

/// A variance or deviation of GROUP BY: the squared deviations from the mean, in DOUBLE, over n; in the type of the
/// average. `add` gives the column of an aggregate call.
pub(super) fn variance(
    binder: &ExprBinder<'_>,
    name: &str,
    args: Vec<Bound>,
    span: Span,
    add: &mut dyn FnMut(&'static str, Bound) -> SqlResult<Bound>,
) -> SqlResult<Bound> {
    let (x, average) = numeric_argument(name, args, span)?;
    let double = DataType { kind: TypeKind::Double, nullable: x.data_type.nullable };
    let x = binder.cast(x, &double, CastMode::Implicit, span)?;
    let squares = add("$WELFORD_M2", x.clone())?;
    let count = add("COUNT", x)?;
    averaged(binder, name, squares, count, &average, span)
}

/// The same with OVER, where Flink still takes `SUM(x * x) - SUM(x) * SUM(x) / COUNT(x)`, in the type of the average.
pub(super) fn variance_over(
    binder: &ExprBinder<'_>,
    name: &str,
    args: Vec<Bound>,
    span: Span,
    add: &mut dyn FnMut(&'static str, Bound) -> SqlResult<Bound>,
) -> SqlResult<Bound> {
    let (x, average) = numeric_argument(name, args, span)?;
    let x = binder.cast(x, &average, CastMode::Implicit, span)?;
    let square = binder.binary(BinaryOp::Multiply, x.clone(), x.clone(), span)?;
    let squares = add("SUM", square)?;
    let sum = add("SUM", x.clone())?;
    let count = add("COUNT", x)?;
    let squared = binder.binary(BinaryOp::Multiply, sum.clone(), sum, span)?;
    let some = null_where(binder, count.clone(), super::expr::zero(), count.clone(), span)?;
    let mean = binder.binary(BinaryOp::Divide, squared, some, span)?;
    let spread = binder.binary(BinaryOp::Subtract, squares, mean, span)?;
    averaged(binder, name, spread, count, &average, span)
}

fn numeric_argument(name: &str, args: Vec<Bound>, span: Span) -> SqlResult<(Bound, DataType)> {
    let types: Vec<DataType> = args.iter().map(|a| a.data_type.clone()).collect();
    match (builtin("AVG", &types), <[Bound; 1]>::try_from(args)) {
        (Some((_, average)), Ok([x])) => Ok((x, average)),
        _ => Err(refuse(name, &types, span)),
    }
}

/// `spread` over the count, or over the count less 1 for samples; its root for deviations.
fn averaged(
    binder: &ExprBinder<'_>,
    name: &str,
    spread: Bound,
    count: Bound,
    average: &DataType,
    span: Span,
) -> SqlResult<Bound> {
    let some = null_where(binder, count.clone(), super::expr::zero(), count.clone(), span)?;
    let number = if name.ends_with("_POP") {
        some
    } else {
        let less = binder.binary(BinaryOp::Subtract, some, one(), span)?;
        null_where(binder, count, one(), less, span)?
    };
    let mut result = binder.binary(BinaryOp::Divide, spread, number, span)?;
    if name.starts_with("STDDEV") {
        let half: ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![0.5]));
        let half = Bound::literal(half, TypeKind::Double.not_null());
        result = binder.function("POWER", &[result, half], span)?;
    }
    binder.cast(result, average, CastMode::Implicit, span)
}

/// `value`, but NULL where `count` is `least`: nothing is divided by 0.
fn null_where(
    binder: &ExprBinder<'_>,
    count: Bound,
    least: Bound,
    value: Bound,
    span: Span,
) -> SqlResult<Bound> {
    let is_least = binder.binary(BinaryOp::Eq, count, least, span)?;
    let null = Bound::null(&TypeKind::BigInt.nullable());
    binder.case_of(vec![(is_least, null)], value, span)
}

fn one() -> Bound {
    let one: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![1]));
    Bound::literal(one, TypeKind::BigInt.not_null())
}
