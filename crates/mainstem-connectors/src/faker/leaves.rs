//! Binds what an expression makes to a column's type.
//! Invariant: numbers, moments and booleans reach their column without a text in between; everything else is cast
//! from its text as flink-faker does, and a text that cannot be cast is an error that names field and text.

use std::sync::Arc;

use arrow_array::types::{Decimal128Type, Float32Type, Float64Type};
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{ArrayRef, BooleanArray, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::TimeUnit;
use arrow_select::take::take;
use mainstem_core::types::timestamp_unit;
use mainstem_core::{Error, Result, TypeKind};

use super::maker::{Draw, Maker, boolean, count, whole};
use super::moment::{parse_nanos, parse_time_nanos};
use crate::generator::columns::{
    Leaf, Slots, Texts, integer_range, integers, moments, primitives, rescale, scaled,
};

/// How many values are made when a table is created, to find expressions whose text does not fit the column.
const SAMPLES: u64 = 32;

/// The leaf for a field.
pub(super) fn leaf(
    field: &str,
    maker: Maker,
    kind: &TypeKind,
    now_ms: i64,
) -> Result<Box<dyn Leaf>> {
    let kind = kind.clone();
    match (&maker, &kind) {
        (Maker::Whole { min, span }, k) if integer_range(k).is_some() => {
            let (least, greatest) = integer_range(k).unwrap_or((i64::MIN, i64::MAX));
            let max = min.wrapping_add(span.wrapping_sub(1).cast_signed());
            if *min < least || max > greatest {
                return Err(Error::user(format!(
                    "field '{field}': numbers from {min} to {max} do not fit into {kind}"
                )));
            }
            return Ok(Box::new(Numbers { kind, maker, decimals: None }));
        }
        (Maker::Count { .. }, TypeKind::BigInt) => {
            return Ok(Box::new(Numbers { kind, maker, decimals: None }));
        }
        (Maker::Fraction { decimals, .. }, TypeKind::Float | TypeKind::Double) => {
            let decimals = Some(*decimals);
            return Ok(Box::new(Numbers { kind, maker, decimals }));
        }
        (Maker::Whole { .. }, TypeKind::Float | TypeKind::Double) => {
            return Ok(Box::new(Numbers { kind, maker, decimals: Some(0) }));
        }
        (
            Maker::Whole { min, span } | Maker::Fraction { min_units: min, span, .. },
            TypeKind::Decimal { precision, scale },
        ) => {
            let from = if let Maker::Fraction { decimals, .. } = &maker { *decimals } else { 0 };
            let max = min.wrapping_add(span.wrapping_sub(1).cast_signed());
            let size = rescale(i128::from(*min), from, *scale)
                .abs()
                .max(rescale(i128::from(max), from, *scale).abs());
            if *span == 0 || size >= 10i128.pow(u32::from(*precision)) {
                return Err(Error::user(format!(
                    "field '{field}': its numbers do not all fit into {kind}"
                )));
            }
            return Ok(Box::new(Numbers { kind, maker, decimals: Some(from) }));
        }
        (
            Maker::Moment(..),
            TypeKind::Date
            | TypeKind::Time { .. }
            | TypeKind::Timestamp { .. }
            | TypeKind::TimestampLtz { .. },
        ) => return Ok(Box::new(Moments { kind, maker })),
        (Maker::Bool, TypeKind::Boolean) => return Ok(Box::new(Booleans)),
        (_, k) if k.is_string() || k.is_binary() => {
            let bytes_each = sample_bytes(&maker, now_ms);
            return Ok(Box::new(Strings { kind, maker, bytes_each }));
        }
        _ => {}
    }
    let field = field.to_owned();
    if let Maker::Word(words) = &maker {
        let values = cast(&field, &kind, words.iter().map(|w| Some(&**w)), None)?;
        return Ok(Box::new(Choices { values }));
    }
    let leaf = Casts { field, kind, maker };
    let numbers: Vec<u64> = (0..SAMPLES).collect();
    leaf.fill(Slots { numbers: &numbers, at_ms: now_ms, seed: 0 }, None)?;
    Ok(Box::new(leaf))
}

fn sample_bytes(maker: &Maker, now_ms: i64) -> usize {
    let mut out = String::new();
    let numbers: Vec<u64> = (0..SAMPLES).collect();
    for (row, rng) in (Slots { numbers: &numbers, at_ms: now_ms, seed: 0 }).draws() {
        maker.write(&mut Draw { rng, row, now_ms }, &mut out);
    }
    out.len() / SAMPLES as usize + 1
}

/// Numbers without a text in between; `decimals` unless the column holds whole numbers.
#[derive(Debug)]
struct Numbers {
    kind: TypeKind,
    maker: Maker,
    decimals: Option<u8>,
}

impl Leaf for Numbers {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let values = slots.draws().map(|(row, mut rng)| match self.maker {
            Maker::Whole { min, span } | Maker::Fraction { min_units: min, span, .. } => {
                whole(min, span, &mut rng)
            }
            Maker::Count { start, step } => count(start, step, row),
            _ => 0,
        });
        match self.decimals {
            None => integers(&self.kind, values, nulls),
            Some(decimals) => scaled(&self.kind, decimals, values, nulls),
        }
    }
}

/// Moments without a text in between.
#[derive(Debug)]
struct Moments {
    kind: TypeKind,
    maker: Maker,
}

impl Leaf for Moments {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let Maker::Moment(moment, _) = &self.maker else {
            return Err(Error::internal("a moment's leaf holds another maker"));
        };
        let values = slots.draws().map(|(row, mut rng)| moment.at(&mut rng, row, slots.at_ms));
        moments(&self.kind, values, nulls)
    }
}

/// true or false.
#[derive(Debug)]
struct Booleans;

impl Leaf for Booleans {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let bits: BooleanBuffer = slots.draws().map(|(_, mut rng)| boolean(&mut rng)).collect();
        Ok(Arc::new(BooleanArray::new(bits, nulls)))
    }
}

/// Strings and bytes.
#[derive(Debug)]
struct Strings {
    kind: TypeKind,
    maker: Maker,
    bytes_each: usize,
}

impl Leaf for Strings {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        texts(&self.maker, slots, self.bytes_each)?.finish(&self.kind, nulls)
    }
}

fn texts(maker: &Maker, slots: Slots<'_>, bytes_each: usize) -> Result<Texts> {
    let mut texts = Texts::with_capacity(slots.len(), bytes_each);
    for (row, rng) in slots.draws() {
        maker.write(&mut Draw { rng, row, now_ms: slots.at_ms }, &mut texts.data);
        texts.end()?;
    }
    Ok(texts)
}

/// One of a few values that were cast once.
#[derive(Debug)]
struct Choices {
    values: ArrayRef,
}

impl Leaf for Choices {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let bound = self.values.len() as u64;
        let indices = slots.draws().map(|(_, mut rng)| rng.below(bound) as u32);
        let indices = UInt32Array::new(indices.collect::<Vec<_>>().into(), nulls);
        Ok(take(&self.values, &indices, None)?)
    }
}

/// Values cast from their text.
#[derive(Debug)]
struct Casts {
    field: String,
    kind: TypeKind,
    maker: Maker,
}

impl Leaf for Casts {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let texts = texts(&self.maker, slots, 16)?;
        let values = (0..slots.len())
            .map(|i| nulls.as_ref().is_none_or(|n| n.is_valid(i)).then(|| texts.value(i)));
        cast(&self.field, &self.kind, values, nulls.clone())
    }
}

fn cast<'a>(
    field: &str,
    kind: &TypeKind,
    values: impl Iterator<Item = Option<&'a str>>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let refuse = |text: &str| {
        Error::user(format!("field '{field}': the text '{text}' is not a {kind}"))
            .with_hint("change the field's type or its expression")
    };
    fn all<'a, T: Default>(
        values: impl Iterator<Item = Option<&'a str>>,
        refuse: impl Fn(&str) -> Error,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<std::vec::IntoIter<T>> {
        let value = |text: Option<&str>| match text {
            None => Ok(T::default()),
            Some(text) => parse(text.trim()).ok_or_else(|| refuse(text)),
        };
        Ok(values.map(value).collect::<Result<Vec<T>>>()?.into_iter())
    }
    Ok(match kind {
        TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt => {
            let (least, greatest) = integer_range(kind).unwrap_or((i64::MIN, i64::MAX));
            let fits = |v: &i64| (least..=greatest).contains(v);
            integers(kind, all(values, refuse, |t| t.parse().ok().filter(fits))?, nulls)?
        }
        TypeKind::Float => {
            Arc::new(primitives::<Float32Type>(all(values, refuse, |t| t.parse().ok())?, nulls))
        }
        TypeKind::Double => {
            Arc::new(primitives::<Float64Type>(all(values, refuse, |t| t.parse().ok())?, nulls))
        }
        TypeKind::Boolean => {
            let bits: BooleanBuffer =
                all(values, refuse, |t| Some(t.eq_ignore_ascii_case("true")))?.collect();
            Arc::new(BooleanArray::new(bits, nulls))
        }
        TypeKind::Decimal { precision, scale } => {
            let parse = |t: &str| parse_decimal(t, *precision, *scale);
            Arc::new(
                primitives::<Decimal128Type>(all(values, refuse, parse)?, nulls)
                    .with_precision_and_scale(*precision, *scale as i8)?,
            )
        }
        TypeKind::Date => {
            let ms = |t: &str| i64::try_from(parse_nanos(t)?.div_euclid(1_000_000)).ok();
            moments(kind, all(values, refuse, ms)?, nulls)?
        }
        TypeKind::Time { .. } => {
            let ms = |t: &str| {
                let nanos = t.parse::<i64>().ok().or_else(|| parse_time_nanos(t));
                nanos
                    .map(|n| n / 1_000_000)
                    .or_else(|| i64::try_from(parse_nanos(t)?.div_euclid(1_000_000)).ok())
            };
            moments(kind, all(values, refuse, ms)?, nulls)?
        }
        TypeKind::Timestamp { precision } | TypeKind::TimestampLtz { precision } => {
            let zone = matches!(kind, TypeKind::TimestampLtz { .. }).then_some("UTC");
            let unit = timestamp_unit(*precision);
            let divisor = match unit {
                TimeUnit::Nanosecond => 1,
                TimeUnit::Microsecond => 1_000,
                _ => 1_000_000,
            };
            let cut = 10i128.pow(u32::from(9u8.saturating_sub(*precision)));
            let parse =
                |t: &str| i64::try_from(parse_nanos(t)?.div_euclid(cut) * cut / divisor).ok();
            let values = all(values, refuse, parse)?;
            match unit {
                TimeUnit::Nanosecond => Arc::new(
                    primitives::<TimestampNanosecondType>(values, nulls).with_timezone_opt(zone),
                ),
                TimeUnit::Microsecond => Arc::new(
                    primitives::<TimestampMicrosecondType>(values, nulls).with_timezone_opt(zone),
                ),
                _ => Arc::new(
                    primitives::<TimestampMillisecondType>(values, nulls).with_timezone_opt(zone),
                ),
            }
        }
        other => return Err(Error::user(format!("field '{field}': faker makes no {other}"))),
    })
}

fn parse_decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 || fraction.len() > 38 {
        return None;
    }
    let mut units = 0i128;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        units = units.checked_mul(10)?.checked_add(digit)?;
    }
    let units = rescale(if negative { -units } else { units }, fraction.len() as u8, scale);
    (units.abs() < 10i128.pow(u32::from(precision))).then_some(units)
}
