//! Columns of generated rows: a tree of nodes as the column's type is, with a leaf generator at each scalar.
//! Invariant: a value depends on the node's seed and its slot only. A slot is the row's number at the top and in
//! ROWs, and a number derived from the outer slot and the element's index in collections.
//! Does not know what the leaves make: datagen and faker bring their own.

use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMillisecondType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalYearMonthType,
    Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Int32Array, ListArray, MapArray, PrimitiveArray, StringArray,
    StructArray, UInt32Array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType as ArrowType, FieldRef, Fields, TimeUnit};
use arrow_select::take::take;
use mainstem_core::clock::{Rng, mix};
use mainstem_core::ingest::{Decode, Decoded, Payload};
use mainstem_core::types::timestamp_unit;
use mainstem_core::{Batch, Error, Result, TypeKind};

const SLOT_STEP: u64 = 0xd1b5_4a32_d192_ed03;
const ELEMENT_STEP: u64 = 0x8cb9_2ba7_2f3d_8dd7;
const NULL_SALT: u64 = 0x4e55_4c4c_5341_4c54;

/// Which rows a leaf makes values for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots<'a> {
    /// One number a value.
    pub(crate) numbers: &'a [u64],
    /// Wall-clock time at which the rows appear, in ms.
    pub(crate) at_ms: i64,
    /// The seed of the node.
    pub(crate) seed: u64,
}

impl<'a> Slots<'a> {
    /// A random generator for each value, with the value's slot.
    pub(crate) fn draws(self) -> impl ExactSizeIterator<Item = (u64, Rng)> + 'a {
        let seed = self.seed;
        self.numbers.iter().map(move |&slot| (slot, draw(seed, slot)))
    }

    /// How many values.
    pub(crate) fn len(self) -> usize {
        self.numbers.len()
    }
}

#[inline]
fn draw(seed: u64, slot: u64) -> Rng {
    Rng::new(mix(seed ^ slot.wrapping_mul(SLOT_STEP)))
}

/// The seed of a node from the table's seed and the node's path, so that a column keeps its values when others come
/// and go.
pub(crate) fn path_seed(seed: u64, path: &str) -> u64 {
    path.bytes().fold(mix(seed.wrapping_add(SLOT_STEP)), |h, b| mix(h ^ u64::from(b)))
}

/// Makes the values of a scalar.
pub(crate) trait Leaf: Debug + Send + Sync {
    /// As many values as slots; those that `nulls` marks may be anything.
    fn fill(&self, slots: Slots<'_>, nulls: Option<NullBuffer>) -> Result<ArrayRef>;
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A scalar.
    Leaf(Box<dyn Leaf>),
    /// A ROW.
    Row(Fields, Vec<Node>),
    /// An ARRAY.
    List(FieldRef, Box<Node>, Lengths),
    /// A MAP: entries, keys, values. Of equal keys the last one stays.
    Map(FieldRef, Box<Node>, Box<Node>, Lengths),
    /// A MULTISET: entries, elements. Equal elements are counted.
    Multiset(FieldRef, Box<Node>, Lengths),
}

/// How long collections are, both ends included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    pub(crate) min: u32,
    pub(crate) max: u32,
}

/// A column, or what is nested in one.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) seed: u64,
    pub(crate) null_rate: f64,
    pub(crate) shape: Shape,
}

impl Node {
    /// The values for `numbers`.
    pub(crate) fn build(&self, numbers: &[u64], at_ms: i64) -> Result<ArrayRef> {
        let nulls = self.nulls(numbers);
        let len = numbers.len();
        let slots = Slots { numbers, at_ms, seed: self.seed };
        Ok(match &self.shape {
            Shape::Leaf(leaf) => leaf.fill(slots, nulls)?,
            Shape::Row(fields, nodes) => {
                let columns = nodes.iter().map(|n| n.build(numbers, at_ms));
                let columns = columns.collect::<Result<_>>()?;
                Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, len)?)
            }
            Shape::List(item, node, lengths) => {
                let (offsets, elements) = self.elements(slots, *lengths)?;
                let values = node.build(&elements, at_ms)?;
                Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, nulls)?)
            }
            Shape::Map(entries, key, value, lengths) => {
                let (offsets, elements) = self.elements(slots, *lengths)?;
                let keys = key.build(&elements, at_ms)?;
                let values = value.build(&elements, at_ms)?;
                let (offsets, keep, _) = distinct(&keys, &offsets);
                let columns = vec![take(&keys, &keep, None)?, take(&values, &keep, None)?];
                map_array(entries, offsets, columns, nulls)?
            }
            Shape::Multiset(entries, node, lengths) => {
                let (offsets, elements) = self.elements(slots, *lengths)?;
                let keys = node.build(&elements, at_ms)?;
                let (offsets, keep, counts) = distinct(&keys, &offsets);
                let counts: ArrayRef = Arc::new(Int32Array::from(counts));
                map_array(entries, offsets, vec![take(&keys, &keep, None)?, counts], nulls)?
            }
        })
    }

    fn nulls(&self, numbers: &[u64]) -> Option<NullBuffer> {
        if self.null_rate <= 0.0 {
            return None;
        }
        let seed = self.seed ^ NULL_SALT;
        let valid = numbers.iter().map(|&slot| draw(seed, slot).unit() >= self.null_rate);
        Some(valid.collect::<Vec<bool>>().into()).filter(|n: &NullBuffer| n.null_count() > 0)
    }

    /// Offsets of collections and the slots of their elements.
    fn elements(
        &self,
        slots: Slots<'_>,
        lengths: Lengths,
    ) -> Result<(OffsetBuffer<i32>, Vec<u64>)> {
        let mut offsets = vec![0i32];
        let mut elements = Vec::with_capacity(slots.len() * lengths.max as usize);
        let spread = u64::from(lengths.max - lengths.min) + 1;
        for (slot, mut rng) in slots.draws() {
            let length = u64::from(lengths.min) + rng.below(spread);
            elements
                .extend((1..=length).map(|k| mix(slot.wrapping_add(k.wrapping_mul(ELEMENT_STEP)))));
            offsets.push(offset(elements.len())?);
        }
        Ok((OffsetBuffer::new(offsets.into()), elements))
    }
}

fn offset(length: usize) -> Result<i32> {
    i32::try_from(length).map_err(|_| Error::user("generated values of one step exceed 2 GiB"))
}

fn map_array(
    entries: &FieldRef,
    offsets: OffsetBuffer<i32>,
    columns: Vec<ArrayRef>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let ArrowType::Struct(fields) = entries.data_type() else {
        return Err(Error::internal("the entries of a map are a struct"));
    };
    let data = StructArray::try_new(fields.clone(), columns, None)?;
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, data, nulls, false)?))
}

/// For each collection the last of equal keys, in order of first appearance of the kept ones, and how often each came.
fn distinct(
    keys: &ArrayRef,
    offsets: &OffsetBuffer<i32>,
) -> (OffsetBuffer<i32>, UInt32Array, Vec<i32>) {
    let mut kept: Vec<u32> = Vec::with_capacity(keys.len());
    let mut counts = Vec::with_capacity(keys.len());
    let mut ends = vec![0i32];
    for window in offsets.windows(2) {
        let start = kept.len();
        for index in window[0] as usize..window[1] as usize {
            let key = keys.slice(index, 1);
            let same = kept[start..].iter().position(|&k| *keys.slice(k as usize, 1) == *key);
            match same {
                Some(at) => {
                    kept[start + at] = index as u32;
                    counts[start + at] += 1;
                }
                None => {
                    kept.push(index as u32);
                    counts.push(1);
                }
            }
        }
        ends.push(kept.len() as i32);
    }
    (OffsetBuffer::new(ends.into()), kept.into(), counts)
}

/// An array of primitives from exactly as many values as slots.
pub(crate) fn primitives<T: ArrowPrimitiveType>(
    values: impl Iterator<Item = T::Native>,
    nulls: Option<NullBuffer>,
) -> PrimitiveArray<T> {
    PrimitiveArray::new(values.collect::<Vec<_>>().into(), nulls)
}

/// Whole numbers as any of the types that hold them; the caller has checked their range.
pub(crate) fn integers(
    kind: &TypeKind,
    values: impl Iterator<Item = i64>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    Ok(match kind {
        TypeKind::TinyInt => Arc::new(primitives::<Int8Type>(values.map(|v| v as i8), nulls)),
        TypeKind::SmallInt => Arc::new(primitives::<Int16Type>(values.map(|v| v as i16), nulls)),
        TypeKind::Int => Arc::new(primitives::<Int32Type>(values.map(|v| v as i32), nulls)),
        TypeKind::BigInt => Arc::new(primitives::<Int64Type>(values, nulls)),
        TypeKind::IntervalYearMonth => {
            Arc::new(primitives::<IntervalYearMonthType>(values.map(|v| v as i32), nulls))
        }
        TypeKind::IntervalDayTime => Arc::new(primitives::<DurationMillisecondType>(values, nulls)),
        other => return Err(unexpected(other, "whole numbers")),
    })
}

/// The least and greatest whole number of a type, if it holds whole numbers.
pub(crate) fn integer_range(kind: &TypeKind) -> Option<(i64, i64)> {
    match kind {
        TypeKind::TinyInt => Some((i64::from(i8::MIN), i64::from(i8::MAX))),
        TypeKind::SmallInt => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
        TypeKind::Int => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        TypeKind::BigInt => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

/// Numbers given as `units / 10^decimals`, as FLOAT, DOUBLE or DECIMAL.
pub(crate) fn scaled(
    kind: &TypeKind,
    decimals: u8,
    units: impl Iterator<Item = i64>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let divisor = 10f64.powi(i32::from(decimals));
    Ok(match kind {
        TypeKind::Float => {
            Arc::new(primitives::<Float32Type>(units.map(|u| (u as f64 / divisor) as f32), nulls))
        }
        TypeKind::Double => {
            Arc::new(primitives::<Float64Type>(units.map(|u| u as f64 / divisor), nulls))
        }
        TypeKind::Decimal { precision, scale } => {
            let values = units.map(|u| rescale(i128::from(u), decimals, *scale));
            Arc::new(
                primitives::<Decimal128Type>(values, nulls)
                    .with_precision_and_scale(*precision, *scale as i8)?,
            )
        }
        other => return Err(unexpected(other, "fractions")),
    })
}

/// `units` of 10^-from as units of 10^-to, rounded half away from zero.
pub(crate) fn rescale(units: i128, from: u8, to: u8) -> i128 {
    if to >= from {
        return units.saturating_mul(10i128.pow(u32::from(to - from)));
    }
    let divisor = 10i128.pow(u32::from(from - to));
    let half = if units < 0 { -divisor / 2 } else { divisor / 2 };
    (units + half) / divisor
}

/// Moments in ms since 1970 as DATE, TIME or a timestamp (UTC), cut to the type's precision.
pub(crate) fn moments(
    kind: &TypeKind,
    ms: impl Iterator<Item = i64>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    const DAY_MS: i64 = 86_400_000;
    let (precision, zone) = match kind {
        TypeKind::Date => {
            let days = ms.map(|v| v.div_euclid(DAY_MS) as i32);
            return Ok(Arc::new(primitives::<Date32Type>(days, nulls)));
        }
        TypeKind::Time { .. } => {
            let time = ms.map(|v| v.rem_euclid(DAY_MS) as i32);
            return Ok(Arc::new(primitives::<Time32MillisecondType>(time, nulls)));
        }
        TypeKind::Timestamp { precision } => (*precision, None),
        TypeKind::TimestampLtz { precision } => (*precision, Some("UTC")),
        other => return Err(unexpected(other, "moments")),
    };
    Ok(match timestamp_unit(precision) {
        TimeUnit::Microsecond => Arc::new(
            primitives::<TimestampMicrosecondType>(ms.map(|v| v * 1_000), nulls)
                .with_timezone_opt(zone),
        ),
        TimeUnit::Nanosecond => {
            let nanos = ms.map(|v| {
                v.checked_mul(1_000_000).ok_or_else(|| {
                    Error::user(format!("a generated moment is not among those of {kind}"))
                        .with_hint("nanoseconds reach from 1677 to 2262; declare TIMESTAMP(3)")
                })
            });
            let nanos = nanos.collect::<Result<Vec<_>>>()?;
            Arc::new(
                primitives::<TimestampNanosecondType>(nanos.into_iter(), nulls)
                    .with_timezone_opt(zone),
            )
        }
        _ => {
            let unit = 10i64.pow(u32::from(3u8.saturating_sub(precision)));
            let ms = ms.map(|v| v.div_euclid(unit) * unit);
            Arc::new(primitives::<TimestampMillisecondType>(ms, nulls).with_timezone_opt(zone))
        }
    })
}

fn unexpected(kind: &TypeKind, what: &str) -> Error {
    Error::internal(format!("a generator of {what} was bound to {kind}"))
}

/// Builds strings (or bytes) into one buffer.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// Append to its end, then call [`Texts::end`].
    pub(crate) data: String,
    offsets: Vec<i32>,
}

impl Texts {
    pub(crate) fn with_capacity(count: usize, bytes_each: usize) -> Self {
        let mut offsets = Vec::with_capacity(count + 1);
        offsets.push(0);
        Self { data: String::with_capacity(count * bytes_each), offsets }
    }

    /// Ends the current value.
    #[inline]
    pub(crate) fn end(&mut self) -> Result<()> {
        self.offsets.push(offset(self.data.len())?);
        Ok(())
    }

    /// The value that was ended as number `index`.
    pub(crate) fn value(&self, index: usize) -> &str {
        &self.data[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// The values as CHAR, VARCHAR or their binary cousins.
    pub(crate) fn finish(self, kind: &TypeKind, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let data = Buffer::from(self.data.into_bytes());
        Ok(if kind.is_binary() {
            Arc::new(BinaryArray::try_new(offsets, data, nulls)?)
        } else {
            Arc::new(StringArray::try_new(offsets, data, nulls)?)
        })
    }
}

/// Generates the projected columns of ranges of rows.
#[derive(Debug)]
pub(crate) struct ColumnsDecoder {
    nodes: Arc<Vec<Node>>,
    numbers: Vec<u64>,
}

impl ColumnsDecoder {
    pub(crate) fn new(nodes: Arc<Vec<Node>>) -> Self {
        Self { nodes, numbers: Vec::new() }
    }
}

impl Decode for ColumnsDecoder {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        let Payload::Rows(range) = payload else {
            return Err(Error::internal("a generator was handed a payload that is not a range"));
        };
        self.numbers.clear();
        self.numbers.extend(range.first..range.first + u64::from(range.count));
        let columns = self.nodes.iter().map(|n| n.build(&self.numbers, range.at_ms));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        out.batches.push(Batch::new(columns, range.count as usize));
        out.records += u64::from(range.count);
        Ok(())
    }
}
