//! Rows as Flink's `Row.toString` prints them: `+I[1, Alice, 2024-01-01T00:00]`. The print connector shows them; tests
//! compare them.
//! Invariant: one row is one piece of text without a line feed at its end; values print as the Java objects that
//! Flink's default conversion makes of them (`LocalDateTime`, `Instant`, `BigDecimal`, `byte[]`, nested `Row`).
//! It knows no weights: the caller says which kind of change a row is.

use mainstem_core::bitmap;
use mainstem_core::java_format::{
    TimeStyle, push_date, push_decimal, push_double, push_float, push_integer, push_time,
    push_timestamp,
};

use super::cells::Cells;

/// Appends `+I[...]` for one row, with the given short name of its kind.
pub(crate) fn push_row(out: &mut Vec<u8>, kind: &str, cells: &[Cells<'_>], row: usize) {
    out.extend_from_slice(kind.as_bytes());
    out.push(b'[');
    for (nth, cell) in cells.iter().enumerate() {
        push_separator(out, nth);
        push_value(out, cell, row);
    }
    out.push(b']');
}

fn push_separator(out: &mut Vec<u8>, nth: usize) {
    if nth > 0 {
        out.extend_from_slice(b", ");
    }
}

/// Appends one value; NULL is `null`.
pub(crate) fn push_value(out: &mut Vec<u8>, cell: &Cells<'_>, row: usize) {
    if cell.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match cell {
        Cells::Null => {}
        Cells::Boolean(a) => out.extend_from_slice(if a.value(row) { b"true" } else { b"false" }),
        Cells::TinyInt(a) => push_integer(out, a.value(row).into()),
        Cells::SmallInt(a) => push_integer(out, a.value(row).into()),
        Cells::Int(a) => push_integer(out, a.value(row).into()),
        Cells::BigInt(a) => push_integer(out, a.value(row)),
        Cells::Float(a) => push_float(out, a.value(row)),
        Cells::Double(a) => push_double(out, a.value(row)),
        Cells::Decimal(a, scale) => push_decimal(out, a.value(row), *scale),
        Cells::Text(a) => out.extend_from_slice(a.value(row).as_bytes()),
        Cells::Bytes(a) => push_bytes(out, a.value(row)),
        Cells::Bitmap(a) => match bitmap::read(a.value(row)) {
            Ok(set) => bitmap::print(&set, out),
            Err(_) => out.extend_from_slice(b"{?}"),
        },
        Cells::Date(a) => push_date(out, a.value(row).into()),
        Cells::Time(a) => push_time(out, i64::from(a.value(row)) * 1_000_000, TimeStyle::Java),
        Cells::Timestamp { values, unit, utc: false, .. } => {
            push_timestamp(out, values[row], *unit, b'T', TimeStyle::Java);
        }
        Cells::Timestamp { values, unit, utc: true, .. } => {
            push_timestamp(out, values[row], *unit, b'T', TimeStyle::Instant);
            out.push(b'Z');
        }
        Cells::Months(a) => push_period(out, a.value(row)),
        Cells::Duration(a) => push_duration(out, a.value(row)),
        Cells::Array(_, item) => {
            out.push(b'[');
            for (nth, element) in cell.elements(row).enumerate() {
                push_separator(out, nth);
                push_value(out, item, element);
            }
            out.push(b']');
        }
        Cells::Map(_, keys, values) => {
            out.push(b'{');
            for (nth, entry) in cell.elements(row).enumerate() {
                push_separator(out, nth);
                push_value(out, keys, entry);
                out.push(b'=');
                push_value(out, values, entry);
            }
            out.push(b'}');
        }
        Cells::Row(_, fields) => push_row(out, "+I", fields, row),
    }
}

/// `Arrays.toString` of a `byte[]`, whose elements are signed.
fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'[');
    for (nth, byte) in bytes.iter().enumerate() {
        push_separator(out, nth);
        push_integer(out, i64::from(*byte as i8));
    }
    out.push(b']');
}

/// `Period.toString` of years and months.
fn push_period(out: &mut Vec<u8>, months: i32) {
    out.push(b'P');
    for (amount, letter) in [(months / 12, b'Y'), (months % 12, b'M')] {
        if amount != 0 {
            push_integer(out, amount.into());
            out.push(letter);
        }
    }
    if months == 0 {
        out.extend_from_slice(b"0D");
    }
}

/// `Duration.toString`.
fn push_duration(out: &mut Vec<u8>, ms: i64) {
    if ms == 0 {
        out.extend_from_slice(b"PT0S");
        return;
    }
    out.extend_from_slice(b"PT");
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    for (amount, letter) in [(hours, b'H'), (minutes, b'M')] {
        if amount != 0 {
            push_integer(out, amount);
            out.push(letter);
        }
    }
    let rest = ms % 60_000;
    if rest == 0 {
        return;
    }
    if rest < 0 && rest > -1_000 {
        out.push(b'-');
    }
    push_integer(out, rest / 1_000);
    let fraction = (rest % 1_000).unsigned_abs();
    if fraction > 0 {
        let text = format!("{fraction:03}");
        out.push(b'.');
        out.extend_from_slice(text.trim_end_matches('0').as_bytes());
    }
    out.push(b'S');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn intervals_and_bytes_as_java() {
        for (months, expected) in [(0, "P0D"), (14, "P1Y2M"), (12, "P1Y"), (-14, "P-1Y-2M")] {
            assert_eq!(text(|o| push_period(o, months)), expected);
        }
        for (ms, expected) in [
            (0, "PT0S"),
            (1_500, "PT1.5S"),
            (-500, "PT-0.5S"),
            (3_600_000, "PT1H"),
            (90_061_001, "PT25H1M1.001S"),
            (-61_000, "PT-1M-1S"),
        ] {
            assert_eq!(text(|o| push_duration(o, ms)), expected);
        }
        assert_eq!(text(|o| push_bytes(o, &[1, 255])), "[1, -1]");
    }
}
