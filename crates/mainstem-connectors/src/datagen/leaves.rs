//! The scalar generators of datagen.
//! Invariant: bounds are inclusive and were checked against the type when the leaf was made.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::types::{Decimal128Type, Float32Type, Float64Type};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use mainstem_core::clock::Rng;
use mainstem_core::{Error, Result, TypeKind};

use crate::generator::columns::{Leaf, Slots, Texts, integers, moments, primitives, scaled};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// true or false.
#[derive(Debug)]
pub(super) struct RandomBooleans;

impl Leaf for RandomBooleans {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let bits: BooleanBuffer =
            slots.draws().map(|(_, mut rng)| rng.next_u64() >> 63 == 1).collect();
        Ok(Arc::new(BooleanArray::new(bits, nulls)))
    }
}

/// Whole numbers and intervals.
#[derive(Debug)]
pub(super) struct Integers {
    kind: TypeKind,
    min: i64,
    /// How many numbers; 0 stands for all 2^64.
    span: u64,
}

impl Integers {
    pub(super) fn new(kind: &TypeKind, min: i64, max: i64) -> Self {
        let span = max.wrapping_sub(min).cast_unsigned().wrapping_add(1);
        Self { kind: kind.clone(), min, span }
    }
}

impl Leaf for Integers {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let values = slots.draws().map(|(_, mut rng)| match self.span {
            0 => rng.next_u64().cast_signed(),
            span => self.min.wrapping_add(rng.below(span).cast_signed()),
        });
        integers(&self.kind, values, nulls)
    }
}

/// FLOAT and DOUBLE.
#[derive(Debug)]
pub(super) struct Floats {
    kind: TypeKind,
    min: f64,
    max: f64,
}

impl Floats {
    pub(super) fn new(kind: &TypeKind, min: f64, max: f64) -> Self {
        Self { kind: kind.clone(), min, max }
    }

    fn value(&self, rng: &mut Rng) -> f64 {
        let unit = rng.unit();
        self.min * (1.0 - unit) + self.max * unit
    }
}

impl Leaf for Floats {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let values = slots.draws().map(|(_, mut rng)| self.value(&mut rng));
        Ok(match self.kind {
            TypeKind::Float => Arc::new(primitives::<Float32Type>(values.map(|v| v as f32), nulls)),
            _ => Arc::new(primitives::<Float64Type>(values, nulls)),
        })
    }
}

/// DECIMAL, in units of its last digit.
#[derive(Debug)]
pub(super) struct Decimals {
    precision: u8,
    scale: u8,
    min: i128,
    span: u128,
}

impl Decimals {
    pub(super) fn new(precision: u8, scale: u8, min: i128, max: i128) -> Self {
        Self { precision, scale, min, span: (max - min).unsigned_abs() + 1 }
    }
}

impl Leaf for Decimals {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let values = slots.draws().map(|(_, mut rng)| match u64::try_from(self.span) {
            Ok(span) => self.min + i128::from(rng.below(span)),
            Err(_) => {
                let wide = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
                self.min + (wide % self.span).cast_signed()
            }
        });
        let array = primitives::<Decimal128Type>(values, nulls);
        Ok(Arc::new(array.with_precision_and_scale(self.precision, self.scale as i8)?))
    }
}

/// Strings of hexadecimal digits, as Flink makes them.
#[derive(Debug)]
pub(super) struct RandomTexts {
    min: u32,
    span: u64,
}

impl RandomTexts {
    pub(super) fn new(min: u32, max: u32) -> Self {
        Self { min, span: u64::from(max - min) + 1 }
    }
}

impl Leaf for RandomTexts {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let mut texts = Texts::with_capacity(slots.len(), self.min as usize);
        for (_, mut rng) in slots.draws() {
            let mut left = self.min as usize + rng.below(self.span) as usize;
            while left > 0 {
                let digits = hex_digits(rng.next_u64());
                let digits = &digits[..left.min(16)];
                texts.data.push_str(std::str::from_utf8(digits).expect("hex digits are ASCII"));
                left -= digits.len();
            }
            texts.end()?;
        }
        texts.finish(&TypeKind::STRING, nulls)
    }
}

fn hex_digits(bits: u64) -> [u8; 16] {
    std::array::from_fn(|i| HEX[(bits >> (4 * i)) as usize & 15])
}

/// Any bytes.
#[derive(Debug)]
pub(super) struct RandomBytes {
    min: u32,
    span: u64,
}

impl RandomBytes {
    pub(super) fn new(min: u32, max: u32) -> Self {
        Self { min, span: u64::from(max - min) + 1 }
    }
}

impl Leaf for RandomBytes {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let mut offsets = vec![0i32];
        let mut data = Vec::with_capacity(slots.len() * self.min as usize);
        for (_, mut rng) in slots.draws() {
            let mut left = self.min as usize + rng.below(self.span) as usize;
            while left > 0 {
                let bytes = rng.next_u64().to_le_bytes();
                data.extend_from_slice(&bytes[..left.min(8)]);
                left -= left.min(8);
            }
            offsets.push(
                i32::try_from(data.len())
                    .map_err(|_| Error::user("generated values of one step exceed 2 GiB"))?,
            );
        }
        let offsets = OffsetBuffer::new(offsets.into());
        Ok(Arc::new(BinaryArray::try_new(offsets, Buffer::from(data), nulls)?))
    }
}

/// Timestamps up to `max_past_ms` before the row appears; dates and times of that moment.
#[derive(Debug)]
pub(super) struct PastMoments {
    kind: TypeKind,
    max_past_ms: i64,
}

impl PastMoments {
    pub(super) fn new(kind: &TypeKind, max_past_ms: i64) -> Self {
        Self { kind: kind.clone(), max_past_ms }
    }
}

impl Leaf for PastMoments {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let span = self.max_past_ms.unsigned_abs() + 1;
        let values = slots.draws().map(|(_, mut rng)| slots.at_ms - rng.below(span).cast_signed());
        moments(&self.kind, values, nulls)
    }
}

/// `start`, `start + 1`, ... by row number.
#[derive(Debug)]
pub(super) struct Sequence {
    kind: TypeKind,
    start: i64,
}

impl Sequence {
    pub(super) fn new(kind: &TypeKind, start: i64) -> Self {
        Self { kind: kind.clone(), start }
    }
}

impl Leaf for Sequence {
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let values = slots.numbers.iter().map(|row| self.start.wrapping_add(row.cast_signed()));
        if self.kind.is_integer() {
            return integers(&self.kind, values, nulls);
        }
        if self.kind.is_numeric() {
            return scaled(&self.kind, 0, values, nulls);
        }
        let mut texts = Texts::with_capacity(slots.len(), 8);
        for value in values {
            write!(texts.data, "{value}").expect("writing to a string cannot fail");
            texts.end()?;
        }
        texts.finish(&self.kind, nulls)
    }
}
