//! `Double.toString` and `Float.toString` of Java.
//! Invariant: the shortest digits that read back as the same number; plain from 1e-3 to below 1e7, else `d.dEn`.

/// A DOUBLE as Java prints it.
pub(crate) fn double(x: f64) -> String {
    let special = special(x.is_nan(), x == f64::INFINITY, x == f64::NEG_INFINITY);
    special.unwrap_or_else(|| lay_out(ryu::Buffer::new().format_finite(x)))
}

/// A FLOAT as Java prints it.
pub(crate) fn float(x: f32) -> String {
    let special = special(x.is_nan(), x == f32::INFINITY, x == f32::NEG_INFINITY);
    special.unwrap_or_else(|| lay_out(ryu::Buffer::new().format_finite(x)))
}

fn special(nan: bool, infinite: bool, negative: bool) -> Option<String> {
    let text = match (nan, infinite, negative) {
        (true, ..) => "NaN",
        (_, true, _) => "Infinity",
        (.., true) => "-Infinity",
        _ => return None,
    };
    Some(text.to_string())
}

/// Ryu's digits in Java's layout.
fn lay_out(text: &str) -> String {
    let (sign, body) = match text.strip_prefix('-') {
        Some(body) => ("-", body),
        None => ("", text),
    };
    let (digits, point) = digits(body);
    if digits.is_empty() {
        return format!("{sign}0.0");
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let size = digits.len() as i64;
    if (-2..=0).contains(&point) {
        return format!("{sign}0.{}{digits}", zeros(-point));
    }
    if (1..=7).contains(&point) {
        if size <= point {
            return format!("{sign}{digits}{}.0", zeros(point - size));
        }
        let (whole, fraction) = digits.split_at(point as usize);
        return format!("{sign}{whole}.{fraction}");
    }
    let (first, rest) = digits.split_at(1);
    let rest = if rest.is_empty() { "0" } else { rest };
    format!("{sign}{first}.{rest}E{}", point - 1)
}

/// The digits of `12.5e3` without zeros at either end, and where the point stands counted from their start.
pub(crate) fn digits(body: &str) -> (String, i64) {
    let (mantissa, exponent) = body.split_once(['e', 'E']).unwrap_or((body, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let trimmed = all.trim_start_matches('0');
    let leading = (all.len() - trimmed.len()) as i64;
    let point = whole.len() as i64 + exponent.parse::<i64>().unwrap_or(0) - leading;
    (trimmed.trim_end_matches('0').to_string(), point)
}
