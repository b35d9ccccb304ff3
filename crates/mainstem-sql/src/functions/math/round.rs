//! ROUND and TRUNCATE.
//! Invariant: both work on the decimal digits that a number prints with, as Flink does: 1.005 rounds to 1.01. Halves
//! go away from zero. The type of a DECIMAL result follows from the places when they are constant.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_select::concat::concat;
use mainstem_core::{Result, TypeKind};
use mainstem_engine::expr::Value;

use super::wide::{apply, apply_decimal, places};
use crate::functions::rowwise::{extent, wrap};
use crate::functions::signature::{Want, constant_integer, expect, strict};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};

pub(super) static ROUND: ScalarFunction = ScalarFunction {
    name: "ROUND",
    aliases: &[],
    usage: "ROUND(number [, places])",
    doc: "The number rounded to the given decimal places, halves away from zero.",
    bind: |arguments, _| bind(arguments, Mode::Round),
};

pub(super) static TRUNCATE: ScalarFunction = ScalarFunction {
    name: "TRUNCATE",
    aliases: &[],
    usage: "TRUNCATE(number [, places])",
    doc: "The number cut to the given decimal places.",
    bind: |arguments, _| bind(arguments, Mode::Truncate),
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Round,
    Truncate,
}

fn bind(arguments: &[Argument], mode: Mode) -> Result<Binding> {
    let types = expect(arguments, &[Want::Number, Want::Integer], 1)?;
    let constant = match arguments.get(1) {
        None => Some(0),
        Some(argument) => constant_integer(argument).flatten(),
    };
    let given = types[0].kind.clone();
    let returns = match (&given, constant) {
        (TypeKind::Decimal { precision, scale }, Some(n)) => decimal_type(*precision, *scale, n),
        _ => given.clone(),
    };
    let result = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let array = match constant {
            Some(n) => settle(&given, &result, values[0].array(), n, mode)?,
            None => each_row(&given, &result, values, extent, mode)?,
        };
        Ok(wrap(array, scalar && values[0].is_scalar()))
    });
    Ok(strict(returns, types, kernel))
}

fn decimal_type(precision: u8, scale: u8, places: i64) -> TypeKind {
    let whole = 1 + precision - scale;
    match places {
        n if n >= i64::from(scale) => TypeKind::Decimal { precision, scale },
        n if n > 0 => TypeKind::Decimal { precision: whole + n as u8, scale: n as u8 },
        _ => TypeKind::Decimal { precision: whole.min(38), scale: 0 },
    }
}

/// A whole array with the same number of places.
fn settle(
    given: &TypeKind,
    returns: &TypeKind,
    array: &ArrayRef,
    places: i64,
    mode: Mode,
) -> Result<ArrayRef> {
    if let (TypeKind::Decimal { scale: from, .. }, TypeKind::Decimal { scale: to, .. }) =
        (given, returns)
    {
        let unit = power(i64::from(*from) - places);
        let drop = 10i128.pow(u32::from(from - to));
        return apply_decimal(array, &|n| Some(cut(n, unit, mode) / drop), returns);
    }
    let unit = power(-places);
    apply(given, array, &|n| cut(n.into(), unit, mode) as i64, &|x| real(x, places, mode))
}

fn each_row(
    given: &TypeKind,
    returns: &TypeKind,
    values: &[Value],
    rows: usize,
    mode: Mode,
) -> Result<ArrayRef> {
    let mut pieces = Vec::with_capacity(rows);
    for row in 0..rows {
        let one = values[0].array().slice(if values[0].is_scalar() { 0 } else { row }, 1);
        pieces.push(match places(&values[1], row) {
            Some(places) => settle(given, returns, &one, places, mode)?,
            None => new_null_array(&returns.clone().nullable().to_arrow(), 1),
        });
    }
    if pieces.is_empty() {
        return Ok(new_null_array(&returns.clone().nullable().to_arrow(), 0));
    }
    let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    Ok(concat(&pieces)?)
}

/// 10 to the power, 1 below zero, `None` where no 128-bit number is that large.
fn power(exponent: i64) -> Option<i128> {
    match exponent {
        ..=0 => Some(1),
        1..=38 => 10i128.checked_pow(exponent as u32),
        _ => None,
    }
}

/// The multiple of `unit` that `n` becomes; with no unit that large, zero.
fn cut(n: i128, unit: Option<i128>, mode: Mode) -> i128 {
    let Some(unit) = unit else { return 0 };
    let rest = n % unit;
    let up = mode == Mode::Round && rest.abs() >= unit - rest.abs() && unit > 1;
    n - rest + if up { unit * n.signum() } else { 0 }
}

/// A DOUBLE by the digits of its shortest text; what is not finite stays.
fn real(x: f64, places: i64, mode: Mode) -> f64 {
    if !x.is_finite() || x == 0.0 {
        return x;
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(x.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // A double has at most 17 digits and ryu adds no more than a zero, so 128 bits hold them all.
    let Ok(digits) = format!("{whole}{fraction}").parse::<i128>() else { return x };
    let exponent = exponent.parse::<i64>().unwrap_or(0) - fraction.len() as i64;
    let unit = power((-places).saturating_sub(exponent));
    let rounded = cut(digits, unit, mode);
    if rounded == digits {
        return x;
    }
    let value: f64 = format!("{rounded}e{exponent}").parse().unwrap_or(x);
    value.copysign(x)
}
