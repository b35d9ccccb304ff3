//! Kernels over whichever number type an argument has.
//! Invariant: an integer is computed in 64 bits and then cut to its own width, a FLOAT in DOUBLE and then rounded, so
//! one function serves all widths and wraps as Java's does.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef};
use mainstem_core::{Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use crate::functions::Kernel;
use crate::functions::rowwise::wrap;

/// A kernel of one integer or approximate number.
pub(super) fn numeric(
    kind: &TypeKind,
    integer: impl Fn(i64) -> i64 + Send + Sync + 'static,
    real: impl Fn(f64) -> f64 + Send + Sync + 'static,
) -> Kernel {
    let kind = kind.clone();
    Arc::new(move |values, _, _| {
        let array = apply(&kind, values[0].array(), &integer, &real)?;
        Ok(wrap(array, values[0].is_scalar()))
    })
}

/// The function over one array of the kind.
pub(super) fn apply(
    kind: &TypeKind,
    array: &ArrayRef,
    integer: &impl Fn(i64) -> i64,
    real: &impl Fn(f64) -> f64,
) -> Result<ArrayRef> {
    let wrong = || Error::internal(format!("a {kind} kernel got {}", array.data_type()));
    Ok(match kind {
        TypeKind::TinyInt => {
            let a = array.as_primitive_opt::<Int8Type>().ok_or_else(wrong)?;
            Arc::new(a.unary::<_, Int8Type>(|n| integer(n.into()) as i8))
        }
        TypeKind::SmallInt => {
            let a = array.as_primitive_opt::<Int16Type>().ok_or_else(wrong)?;
            Arc::new(a.unary::<_, Int16Type>(|n| integer(n.into()) as i16))
        }
        TypeKind::Int => {
            let a = array.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?;
            Arc::new(a.unary::<_, Int32Type>(|n| integer(n.into()) as i32))
        }
        TypeKind::BigInt => {
            let a = array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            Arc::new(a.unary::<_, Int64Type>(integer))
        }
        TypeKind::Float => {
            let a = array.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
            Arc::new(a.unary::<_, Float32Type>(|x| real(x.into()) as f32))
        }
        TypeKind::Double => {
            let a = array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            Arc::new(a.unary::<_, Float64Type>(real))
        }
        _ => return Err(wrong()),
    })
}

/// A kernel of one DECIMAL's unscaled value; `None` and what `returns` cannot hold are NULL.
pub(super) fn decimal(
    f: impl Fn(i128) -> Option<i128> + Send + Sync + 'static,
    returns: &TypeKind,
) -> Kernel {
    let returns = returns.clone();
    Arc::new(move |values, _, _| {
        let array = apply_decimal(values[0].array(), &f, &returns)?;
        Ok(wrap(array, values[0].is_scalar()))
    })
}

/// The function over one array of unscaled values.
pub(super) fn apply_decimal(
    array: &ArrayRef,
    f: &impl Fn(i128) -> Option<i128>,
    returns: &TypeKind,
) -> Result<ArrayRef> {
    let TypeKind::Decimal { precision, scale } = *returns else {
        return Err(Error::internal("a DECIMAL kernel returns another type"));
    };
    let bound = 10i128.pow(precision.into());
    let array = array
        .as_primitive_opt::<Decimal128Type>()
        .ok_or_else(|| Error::internal("a DECIMAL kernel got another type"))?;
    let result = array.unary_opt::<_, Decimal128Type>(|value| {
        f(value).filter(|value| value.unsigned_abs() < bound.unsigned_abs())
    });
    Ok(Arc::new(result.with_precision_and_scale(precision, scale as i8)?))
}

/// The places argument of ROUND and TRUNCATE at a row.
pub(super) fn places(value: &Value, row: usize) -> Option<i64> {
    let array = value.array().as_primitive_opt::<Int64Type>()?;
    let row = if value.is_scalar() { 0 } else { row };
    array.is_valid(row).then(|| array.value(row))
}
