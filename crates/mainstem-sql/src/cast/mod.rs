//! CAST, TRY_CAST and the casts that the binder puts in by itself.
//! Invariant: a cast is chosen once, from the two types; its kernel keeps scalars scalar and nulls null. A pair that
//! Flink refuses is refused here, before anything runs.
//! Does not choose types: `coercion` does.

mod decimal;
mod length;
mod nested;
mod numeric;
pub(crate) mod parse;
mod print;
pub(crate) mod temporal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::{ArrayRef, new_null_array};
use mainstem_core::{DataType, Error, Result, TypeKind};

use crate::functions::Kernel;
use crate::lift::{self, Convert};
use crate::session::Session;

#[cfg(test)]
pub(crate) use print::value_printer;

/// Who asked for the cast, and so what a value that cannot be cast does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CastMode {
    /// CAST: a value that cannot be cast is an error.
    Cast,
    /// TRY_CAST: it becomes NULL.
    Try,
    /// Put in by the binder: as CAST, and every pair that `coercion` offers is allowed.
    Implicit,
}

impl CastMode {
    /// What a value that cannot be cast becomes.
    pub(crate) fn refuse<T>(self, error: impl FnOnce() -> Error) -> Result<Option<T>> {
        match self {
            Self::Try => Ok(None),
            Self::Cast | Self::Implicit => Err(error()),
        }
    }
}

/// The cast of `from` to `to`: the type of its result (nullability included) and the code, which takes one value.
/// `to`'s own nullability is not asked: TRY_CAST may always give NULL, CAST gives it for NULL alone (and, as in
/// Flink, where a number does not fit a DECIMAL).
pub fn bind(
    from: &DataType,
    to: &DataType,
    mode: CastMode,
    session: &Session,
) -> Result<(DataType, Kernel)> {
    let nullable = from.nullable || from.kind == TypeKind::Null || mode == CastMode::Try;
    let convert = convert(&from.kind, &to.kind, mode, session)?;
    Ok((to.with_nullable(nullable), lift::unary(move |array| convert(array))))
}

/// The cast of whole arrays, for nesting.
pub(crate) fn convert(
    from: &TypeKind,
    to: &TypeKind,
    mode: CastMode,
    session: &Session,
) -> Result<Convert> {
    use TypeKind as K;
    if from == to {
        return Ok(Arc::new(|array| Ok(ArrayRef::clone(array))));
    }
    match (from, to) {
        (K::Null, _) => {
            let arrow = to.clone().nullable().to_arrow();
            Ok(Arc::new(move |array| Ok(new_null_array(&arrow, array.len()))))
        }
        (f, K::Char { .. } | K::Varchar { .. }) => to_string(f, to, session),
        (f, K::Binary { .. } | K::Varbinary { .. }) if f.is_string() || f.is_binary() => {
            Ok(length::to_binary(f, to))
        }
        (f, t) if f.is_string() => parse::from_string(f, t, mode, session),
        (K::Boolean, t) if t.is_numeric() => Ok(numeric::from_boolean(t)),
        (f, K::Boolean) if f.is_numeric() => Ok(numeric::to_boolean(f)),
        (f, K::Decimal { precision, scale }) if f.is_numeric() => {
            Ok(decimal::to_decimal(f, *precision, *scale, mode))
        }
        (K::Decimal { scale, .. }, t) if t.is_numeric() => Ok(decimal::from_decimal(*scale, t)),
        (f, t) if f.is_numeric() && t.is_numeric() => numeric::number(f, t),
        (f, t) if f.is_integer() && t.is_interval() => numeric::to_interval(f, t),
        (K::Decimal { scale, .. }, t) if t.is_interval() => {
            let whole = decimal::from_decimal(*scale, &K::BigInt);
            let interval = numeric::to_interval(&K::BigInt, t)?;
            Ok(Arc::new(move |array| interval(&whole(array)?)))
        }
        (f, t) if f.is_temporal() && t.is_temporal() => temporal::convert(f, t, session),
        (K::Array(_) | K::Map(..) | K::Multiset(_) | K::Row(_), _) => {
            nested::convert(from, to, mode, session)
        }
        _ => Err(unsupported(from, to)),
    }
}

fn to_string(from: &TypeKind, to: &TypeKind, session: &Session) -> Result<Convert> {
    let fit = length::fit(from, to);
    if from.is_string() {
        return Ok(fit.unwrap_or_else(|| Arc::new(|array| Ok(ArrayRef::clone(array)))));
    }
    let print = print::to_string(from, session);
    Ok(match fit {
        None => print,
        Some(fit) => Arc::new(move |array| fit(&print(array)?)),
    })
}

/// The refusal of a pair of types, with Flink's way out where it names one.
pub(crate) fn unsupported(from: &TypeKind, to: &TypeKind) -> Error {
    let error = Error::user(format!("unsupported cast from {from} to {to}"));
    match (from, to) {
        (f, TypeKind::Timestamp { .. }) if f.is_numeric() => {
            error.with_hint("use TO_TIMESTAMP(FROM_UNIXTIME(number)); the number is in seconds")
        }
        (f, TypeKind::TimestampLtz { .. }) if f.is_numeric() => {
            error.with_hint("use TO_TIMESTAMP_LTZ(number, 0 for seconds or 3 for milliseconds)")
        }
        (f, t) if f.is_timestamp() && t.is_numeric() => {
            error.with_hint("use UNIX_TIMESTAMP(CAST(timestamp AS STRING))")
        }
        (f, t) if f.is_numeric() && t.is_interval() => {
            error.with_hint("multiply instead: number * INTERVAL '1' DAY")
        }
        _ => error,
    }
}
