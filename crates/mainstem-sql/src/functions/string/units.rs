//! UTF-16 code units, in which Java's `String` counts and some of Flink's functions cut.
//! Invariant: half of a surrogate pair becomes `?`, as it does when Flink encodes such a string.

use std::fmt::Write;

/// Appends the text that the units encode.
pub(crate) fn push_units(out: &mut impl Write, units: impl IntoIterator<Item = u16>) {
    for decoded in char::decode_utf16(units) {
        // Writing into a string cannot fail.
        let _ = out.write_char(decoded.unwrap_or('?'));
    }
}

/// The units of a text.
pub(crate) fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}
