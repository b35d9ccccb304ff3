//! `Double.toString` and `Float.toString` of Java as strings, and the digits in such a text.
//! Invariant: the layout is `mainstem_core::java_format`'s; nothing is laid out here.

use mainstem_core::java_format::{push_double, push_float};

/// A DOUBLE as Java prints it.
pub(crate) fn double(x: f64) -> String {
    let mut out = Vec::with_capacity(24);
    push_double(&mut out, x);
    ascii(out)
}

/// A FLOAT as Java prints it.
pub(crate) fn float(x: f32) -> String {
    let mut out = Vec::with_capacity(16);
    push_float(&mut out, x);
    ascii(out)
}

fn ascii(text: Vec<u8>) -> String {
    String::from_utf8(text).expect("java_format appends ASCII")
}

/// The digits of `12.5E3` without zeros at either end, and where the point stands counted from their start.
pub(crate) fn digits(body: &str) -> (String, i64) {
    let (mantissa, exponent) = body.split_once(['e', 'E']).unwrap_or((body, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let trimmed = all.trim_start_matches('0');
    let leading = (all.len() - trimmed.len()) as i64;
    let point = whole.len() as i64 + exponent.parse::<i64>().unwrap_or(0) - leading;
    (trimmed.trim_end_matches('0').to_string(), point)
}
