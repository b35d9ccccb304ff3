//! Arrow builders for the readers that have none of their own: a few types, appended one value at a time.
//! Invariant: gives the very columns that our decoder gives. Does the least that such glue can do, in the readers' favour:
//! timestamps have one layout, and a column's type is looked at once a value.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMillisecondBuilder,
};
use mainstem_core::TypeKind;

/// One column under way.
pub(crate) enum Builder {
    Long(Int64Builder),
    Double(Float64Builder),
    Flag(BooleanBuilder),
    Text(StringBuilder),
    At(TimestampMillisecondBuilder),
}

impl Builder {
    pub(crate) fn new(kind: &TypeKind) -> Self {
        match kind {
            TypeKind::BigInt => Self::Long(Int64Builder::new()),
            TypeKind::Double => Self::Double(Float64Builder::new()),
            TypeKind::Boolean => Self::Flag(BooleanBuilder::new()),
            TypeKind::Timestamp { .. } => Self::At(TimestampMillisecondBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    #[inline]
    pub(crate) fn long(&mut self, value: i64) {
        match self {
            Self::Long(builder) => builder.append_value(value),
            Self::Double(builder) => builder.append_value(value as f64),
            _ => panic!("a whole number where none was expected"),
        }
    }

    #[inline]
    pub(crate) fn double(&mut self, value: f64) {
        let Self::Double(builder) = self else { panic!("a number where none was expected") };
        builder.append_value(value);
    }

    #[inline]
    pub(crate) fn flag(&mut self, value: bool) {
        let Self::Flag(builder) = self else { panic!("a flag where none was expected") };
        builder.append_value(value);
    }

    #[inline]
    pub(crate) fn text(&mut self, value: &str) {
        match self {
            Self::Text(builder) => builder.append_value(value),
            Self::At(builder) => builder.append_value(timestamp_ms(value.as_bytes())),
            _ => panic!("a text where none was expected"),
        }
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Long(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Flag(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::At(builder) => Arc::new(builder.finish()),
        }
    }
}

/// `yyyy-MM-dd HH:mm:ss.SSS` and nothing else, in ms since 1970.
#[inline]
fn timestamp_ms(text: &[u8]) -> i64 {
    let text: &[u8; 23] = text.try_into().expect("23 characters");
    let number = |from: usize, to: usize| {
        text[from..to].iter().fold(0, |n, digit| n * 10 + i64::from(digit.wrapping_sub(b'0')))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days from the civil calendar, years beginning in March.
    let years = year - i64::from(month <= 2);
    let in_era = years.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = in_era * 365 + in_era / 4 - in_era / 100 + day_of_year;
    let days = years.div_euclid(400) * 146_097 + day_of_era - 719_468;
    let seconds = ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60 + number(17, 19);
    seconds * 1000 + number(20, 23)
}
