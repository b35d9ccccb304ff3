//! IS_ALPHA, IS_DIGIT, IS_DECIMAL: what a string is made of.
//! Invariant: never NULL; NULL and the empty string are FALSE. Java's `Character` classes decide, by UTF-16 unit, so a
//! character outside the basic plane is neither letter nor digit.

use std::sync::Arc;

use arrow_array::builder::BooleanBuilder;
use arrow_array::{Array, BooleanArray};
use mainstem_core::{Error, Result, TypeKind};
use regex::Regex;

use crate::functions::rowwise::{Reader, Sink, Text, extent, wrap};
use crate::functions::signature::{Want, arity, expect, mismatch};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};

pub(super) static IS_ALPHA: ScalarFunction = ScalarFunction {
    name: "IS_ALPHA",
    aliases: &[],
    usage: "IS_ALPHA(string)",
    doc: "Whether all characters of the string are letters.",
    bind: |arguments, _| classify(arguments, r"^[\p{L}&&[\x{0}-\x{FFFF}]]+$", |_| false),
};

pub(super) static IS_DIGIT: ScalarFunction = ScalarFunction {
    name: "IS_DIGIT",
    aliases: &[],
    usage: "IS_DIGIT(value)",
    doc: "Whether all characters of the string are digits, or the value is an integer.",
    bind: |arguments, _| classify(arguments, DIGITS, TypeKind::is_integer),
};

pub(super) static IS_DECIMAL: ScalarFunction = ScalarFunction {
    name: "IS_DECIMAL",
    aliases: &[],
    usage: "IS_DECIMAL(value)",
    doc: "Whether the string can be read as a number, or the value is one.",
    bind: |arguments, _| classify(arguments, &decimal_pattern(), TypeKind::is_numeric),
};

const DIGITS: &str = r"^[\p{Nd}&&[\x{0}-\x{FFFF}]]+$";

/// What Java's `Integer.parseInt`, `Long.parseLong` or `Double.parseDouble` accept.
fn decimal_pattern() -> String {
    let number = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?";
    let hexadecimal = r"0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+";
    let long = r"[\p{Nd}&&[\x{0}-\x{FFFF}]]{1,19}";
    format!(
        r"^(?:[\x00-\x20]*[+-]?(?:NaN|Infinity|(?:{number}|{hexadecimal})[fFdD]?)[\x00-\x20]*|[+-]?{long})$"
    )
}

fn classify(
    arguments: &[Argument],
    pattern: &str,
    number: fn(&TypeKind) -> bool,
) -> Result<Binding> {
    arity(arguments.len(), 1, Some(1))?;
    let kind = &arguments[0].data_type.kind;
    if kind.is_numeric() {
        let types = vec![arguments[0].data_type.clone()];
        let answer = number(kind);
        let kernel: Kernel = Arc::new(move |values, _, _| {
            let array = values[0].array();
            let flags: BooleanArray =
                (0..array.len()).map(|row| Some(answer && array.is_valid(row))).collect();
            Ok(wrap(Arc::new(flags), values[0].is_scalar()))
        });
        return Ok(never_null(types, kernel));
    }
    let types = expect(arguments, &[Want::Text], 1)
        .map_err(|_| mismatch(0, "a string or a number", &arguments[0].data_type))?;
    let pattern = Regex::new(pattern).map_err(|e| Error::internal(e.to_string()))?;
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let text = Reader::<Text>::new(&values[0])?;
        let mut out = BooleanBuilder::with_rows(extent);
        for row in 0..extent {
            out.append_value(text.get(row).is_some_and(|text| pattern.is_match(text)));
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    Ok(never_null(types, kernel))
}

fn never_null(arguments: Vec<mainstem_core::DataType>, kernel: Kernel) -> Binding {
    Binding { returns: TypeKind::Boolean.not_null(), arguments, kernel, deterministic: true }
}
