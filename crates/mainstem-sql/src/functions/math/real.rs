//! Functions of real numbers: every argument is read as DOUBLE, every result is one.
//! Invariant: as `java.lang.Math`: outside its domain a function gives NaN or an infinity, never an error or NULL.

use std::sync::Arc;

use arrow_array::builder::Float64Builder;
use arrow_array::types::Float64Type;
use arrow_array::{Float64Array, PrimitiveArray};
use mainstem_core::{Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use crate::functions::rowwise::{Double, map2, wrap};
use crate::functions::signature::{Want, arity, expect, strict};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};

macro_rules! unary {
    ($name:ident, $doc:literal, $f:expr) => {
        pub(super) static $name: ScalarFunction = ScalarFunction {
            name: stringify!($name),
            aliases: &[],
            usage: concat!(stringify!($name), "(number)"),
            doc: $doc,
            bind: |arguments, _| one(arguments, $f),
        };
    };
}

unary!(SQRT, "The square root of the number.", f64::sqrt);
unary!(LN, "The natural logarithm of the number.", f64::ln);
unary!(LOG2, "The logarithm of the number to base 2.", |x| x.ln() / 2f64.ln());
unary!(LOG10, "The logarithm of the number to base 10.", f64::log10);
unary!(EXP, "e to the power of the number.", f64::exp);
unary!(SIN, "The sine of an angle in radians.", f64::sin);
unary!(SINH, "The hyperbolic sine of the number.", f64::sinh);
unary!(COS, "The cosine of an angle in radians.", f64::cos);
unary!(COSH, "The hyperbolic cosine of the number.", f64::cosh);
unary!(TAN, "The tangent of an angle in radians.", f64::tan);
unary!(TANH, "The hyperbolic tangent of the number.", f64::tanh);
unary!(COT, "The cotangent of an angle in radians.", |x| 1.0 / x.tan());
unary!(ASIN, "The arc sine of the number.", f64::asin);
unary!(ACOS, "The arc cosine of the number.", f64::acos);
unary!(ATAN, "The arc tangent of the number.", f64::atan);
unary!(DEGREES, "The angle in degrees of one in radians.", |x| x * (180.0 / std::f64::consts::PI));
unary!(RADIANS, "The angle in radians of one in degrees.", |x| x * (std::f64::consts::PI / 180.0));

pub(super) static POWER: ScalarFunction = ScalarFunction {
    name: "POWER",
    aliases: &[],
    usage: "POWER(base, exponent)",
    doc: "The base to the power of the exponent.",
    bind: |arguments, _| two(arguments, f64::powf),
};

pub(super) static ATAN2: ScalarFunction = ScalarFunction {
    name: "ATAN2",
    aliases: &[],
    usage: "ATAN2(y, x)",
    doc: "The angle of the point (x, y), in radians.",
    bind: |arguments, _| two(arguments, f64::atan2),
};

pub(super) static LOG: ScalarFunction = ScalarFunction {
    name: "LOG",
    aliases: &[],
    usage: "LOG([base, ] number)",
    doc: "The logarithm of the number to the base, by default e.",
    bind: |arguments, _| match arguments.len() {
        1 => one(arguments, f64::ln),
        _ => {
            arity(arguments.len(), 1, Some(2))?;
            two(arguments, |base, x| x.ln() / base.ln())
        }
    },
};

pub(super) static PI: ScalarFunction = ScalarFunction {
    name: "PI",
    aliases: &[],
    usage: "PI()",
    doc: "The DOUBLE nearest to pi.",
    bind: |arguments, _| constant(arguments, std::f64::consts::PI),
};

pub(super) static E: ScalarFunction = ScalarFunction {
    name: "E",
    aliases: &[],
    usage: "E()",
    doc: "The DOUBLE nearest to e.",
    bind: |arguments, _| constant(arguments, std::f64::consts::E),
};

fn one(arguments: &[Argument], f: fn(f64) -> f64) -> Result<Binding> {
    let types = expect(arguments, &[Want::Double], 1)?;
    let kernel: Kernel = Arc::new(move |values, _, _| {
        let array = values[0].array().as_any().downcast_ref::<Float64Array>();
        let array = array.ok_or_else(|| Error::internal("a DOUBLE kernel got another type"))?;
        let result: PrimitiveArray<Float64Type> = array.unary(f);
        Ok(wrap(Arc::new(result), values[0].is_scalar()))
    });
    Ok(strict(TypeKind::Double, types, kernel))
}

fn two(arguments: &[Argument], f: fn(f64, f64) -> f64) -> Result<Binding> {
    let types = expect(arguments, &[Want::Double, Want::Double], 2)?;
    let kernel =
        map2::<Double, Double, Float64Builder>(move |a: f64, b: f64, out: &mut Float64Builder| {
            out.append_value(f(a, b));
            Ok(())
        });
    Ok(strict(TypeKind::Double, types, kernel))
}

fn constant(arguments: &[Argument], value: f64) -> Result<Binding> {
    arity(arguments.len(), 0, Some(0))?;
    let kernel: Kernel =
        Arc::new(move |_, _, _| Ok(Value::Scalar(Arc::new(Float64Array::from(vec![value])))));
    Ok(strict(TypeKind::Double, Vec::new(), kernel))
}
