//! ABS, SIGN, CEIL and FLOOR of numbers: the result is of the argument's kind.
//! Invariant: integers wrap as Java's do (ABS of the least one is itself); CEIL and FLOOR of a DECIMAL have scale 0.
//! Does not bind CEIL and FLOOR of times (`CEIL(time TO unit)`): those are in `temporal`.

use mainstem_core::{Result, TypeKind};

use super::wide::{decimal, numeric};
use crate::functions::signature::{Want, expect, strict};
use crate::functions::{Argument, Binding, ScalarFunction};

pub(super) static ABS: ScalarFunction = ScalarFunction {
    name: "ABS",
    aliases: &[],
    usage: "ABS(number)",
    doc: "The absolute value of the number.",
    bind: |arguments, _| same_kind(arguments, i64::wrapping_abs, i128::wrapping_abs, f64::abs),
};

pub(super) static SIGN: ScalarFunction = ScalarFunction {
    name: "SIGN",
    aliases: &[],
    usage: "SIGN(number)",
    doc: "-1, 0 or 1 as the number is negative, zero or positive.",
    bind: bind_sign,
};

pub(super) static CEIL: ScalarFunction = ScalarFunction {
    name: "CEIL",
    aliases: &["CEILING"],
    usage: "CEIL(number)",
    doc: "The least whole number that is not less than the number.",
    bind: |arguments, _| whole(arguments, |value, unit| -((-value).div_euclid(unit)), f64::ceil),
};

pub(super) static FLOOR: ScalarFunction = ScalarFunction {
    name: "FLOOR",
    aliases: &[],
    usage: "FLOOR(number)",
    doc: "The greatest whole number that is not greater than the number.",
    bind: |arguments, _| whole(arguments, i128::div_euclid, f64::floor),
};

fn same_kind(
    arguments: &[Argument],
    integer: fn(i64) -> i64,
    unscaled: fn(i128) -> i128,
    real: fn(f64) -> f64,
) -> Result<Binding> {
    let types = expect(arguments, &[Want::Number], 1)?;
    let kernel = match types[0].kind {
        TypeKind::Decimal { .. } => decimal(move |value| Some(unscaled(value)), &types[0].kind),
        _ => numeric(&types[0].kind, integer, real),
    };
    Ok(strict(types[0].kind.clone(), types, kernel))
}

fn bind_sign(arguments: &[Argument], _: &crate::session::Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Number], 1)?;
    let kernel = match types[0].kind {
        TypeKind::Decimal { scale, .. } => {
            let one = 10i128.pow(scale.into());
            decimal(move |value| Some(value.signum() * one), &types[0].kind)
        }
        _ => numeric(&types[0].kind, i64::signum, |x| {
            if x == 0.0 || x.is_nan() { x } else { x.signum() }
        }),
    };
    Ok(strict(types[0].kind.clone(), types, kernel))
}

fn whole(
    arguments: &[Argument],
    divide: fn(i128, i128) -> i128,
    real: fn(f64) -> f64,
) -> Result<Binding> {
    let types = expect(arguments, &[Want::Number], 1)?;
    let returns = match types[0].kind {
        TypeKind::Decimal { precision, .. } => TypeKind::Decimal { precision, scale: 0 },
        ref kind => kind.clone(),
    };
    let kernel = match types[0].kind {
        TypeKind::Decimal { scale, .. } => {
            let unit = 10i128.pow(scale.into());
            decimal(move |value| Some(divide(value, unit)), &returns)
        }
        _ => numeric(&types[0].kind, |n| n, real),
    };
    Ok(strict(returns, types, kernel))
}
