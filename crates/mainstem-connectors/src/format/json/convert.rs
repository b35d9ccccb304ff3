//! Single JSON values to single SQL values, as Flink's json format converts them.
//! Invariant: strings are read where Flink reads them (numbers in quotes, `"true"`), nothing is rounded but what Flink
//! rounds, and out of range is refused. `Err(())` means: does not convert. `Ok(None)` is NULL.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::number;
use super::scan::Kind;
use super::time::{self, TimestampReader};

/// A value's text and kind; strings are without quotes and escapes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'a> {
    /// From the value on; may reach beyond it, so that wide loads are possible.
    pub(super) window: &'a [u8],
    pub(super) len: usize,
    pub(super) kind: Kind,
}

pub(super) type Converted<T> = Result<Option<T>, ()>;

impl<'a> Cell<'a> {
    pub(super) fn bytes(&self) -> &'a [u8] {
        &self.window[..self.len]
    }

    /// The text as Java's `trim` leaves it.
    fn trimmed(&self) -> &'a [u8] {
        let mut text = self.bytes();
        while let [0..=b' ', rest @ ..] = text {
            text = rest;
        }
        while let [rest @ .., 0..=b' '] = text {
            text = rest;
        }
        text
    }

    fn scalar(&self) -> Result<(), ()> {
        if matches!(self.kind, Kind::Object | Kind::Array) { Err(()) } else { Ok(()) }
    }

    fn text(&self) -> Result<&'a [u8], ()> {
        if self.kind == Kind::Text { Ok(self.bytes()) } else { Err(()) }
    }
}

/// `true`, or any text that reads so in any case; every other scalar is false, as `Boolean.parseBoolean` has it.
pub(super) fn boolean(cell: Cell<'_>) -> Converted<bool> {
    match cell.kind {
        Kind::True => Ok(Some(true)),
        Kind::False => Ok(Some(false)),
        _ => {
            cell.scalar()?;
            Ok(Some(cell.trimmed().eq_ignore_ascii_case(b"true")))
        }
    }
}

pub(super) fn tiny_int(cell: Cell<'_>) -> Converted<i8> {
    whole(cell).and_then(|v| i8::try_from(v).map_err(drop)).map(Some)
}

pub(super) fn small_int(cell: Cell<'_>) -> Converted<i16> {
    whole(cell).and_then(|v| i16::try_from(v).map_err(drop)).map(Some)
}

pub(super) fn int(cell: Cell<'_>) -> Converted<i32> {
    whole_or_cut(cell).and_then(|v| i32::try_from(v).map_err(drop)).map(Some)
}

#[inline(always)]
pub(super) fn big_int(cell: Cell<'_>) -> Converted<i64> {
    whole_or_cut(cell).map(Some)
}

#[inline(always)]
fn whole(cell: Cell<'_>) -> Result<i64, ()> {
    match cell.kind {
        Kind::Integer => number::integer(cell.bytes()).ok_or(()),
        Kind::Text => number::integer(cell.trimmed()).ok_or(()),
        _ => Err(()),
    }
}

/// INT and BIGINT take a JSON number with a fraction and cut it; in a string it is refused. TINYINT and SMALLINT
/// refuse both.
#[inline(always)]
fn whole_or_cut(cell: Cell<'_>) -> Result<i64, ()> {
    if cell.kind != Kind::Fraction {
        return whole(cell);
    }
    let value = number::double(cell.window, cell.len).ok_or(())?.trunc();
    // 2^63 as a double; i64::MAX itself is not one.
    let limit = 9_223_372_036_854_775_808.0;
    if (-limit..limit).contains(&value) { Ok(value as i64) } else { Err(()) }
}

#[inline(always)]
pub(super) fn double(cell: Cell<'_>) -> Converted<f64> {
    match cell.kind {
        Kind::Integer | Kind::Fraction => number::double(cell.window, cell.len).ok_or(()).map(Some),
        Kind::Text => {
            let text = cell.trimmed();
            if text.is_empty() {
                return Err(());
            }
            number::double(text, text.len())
                .or_else(|| number::special_double(text))
                .ok_or(())
                .map(Some)
        }
        _ => Err(()),
    }
}

pub(super) fn float(cell: Cell<'_>) -> Converted<f32> {
    match cell.kind {
        Kind::Integer | Kind::Fraction => number::float(cell.bytes()).ok_or(()).map(Some),
        Kind::Text => {
            let text = cell.trimmed();
            number::float(text)
                .or_else(|| number::special_double(text).map(|v| v as f32))
                .ok_or(())
                .map(Some)
        }
        _ => Err(()),
    }
}

/// What does not fit the precision is NULL.
pub(super) fn decimal(cell: Cell<'_>, precision: u8, scale: u8) -> Converted<i128> {
    let text = match cell.kind {
        Kind::Integer | Kind::Fraction => cell.bytes(),
        Kind::Text => cell.trimmed(),
        _ => return Err(()),
    };
    number::decimal(text, precision, i64::from(scale)).ok_or(())
}

/// Base64, with padding.
pub(super) fn bytes(cell: Cell<'_>) -> Converted<Vec<u8>> {
    STANDARD.decode(cell.text()?).map(Some).map_err(drop)
}

pub(super) fn date(cell: Cell<'_>) -> Converted<i32> {
    time::date(cell.text()?).ok_or(()).map(Some)
}

pub(super) fn time(cell: Cell<'_>) -> Converted<i32> {
    time::time_ms(cell.text()?).ok_or(()).map(Some)
}

#[inline(always)]
pub(super) fn timestamp(cell: Cell<'_>, reader: &mut TimestampReader) -> Converted<i64> {
    reader.read(cell.text()?).ok_or(()).map(Some)
}
