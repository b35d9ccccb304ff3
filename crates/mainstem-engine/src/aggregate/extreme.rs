//! MIN and MAX over every ordered type.
//! Invariant: append-only state is one value a group; under retraction it is an ordered multiset a group, so the
//! next value is known when the best one goes. NULLs do not take part; no values means NULL.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time32MillisecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Int64Array, PrimitiveArray,
    StringArray,
};
use arrow_schema::{DataType as ArrowType, IntervalUnit, TimeUnit};
use mainstem_core::{Error, Result};

use super::rows::{Step, each_row, grow, play, selection, validity};
use super::{Accumulator, AggregateFunction, Changes, SavedGroups};

/// MIN over `input`; `None` for a type without an order.
pub fn min(input: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    extreme(input, false)
}

/// MAX over `input`; `None` for a type without an order.
pub fn max(input: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    extreme(input, true)
}

fn extreme(input: &ArrowType, max: bool) -> Option<Arc<dyn AggregateFunction>> {
    append_only(input, max)?;
    Some(Arc::new(Extreme { input: input.clone(), max }))
}

#[derive(Debug)]
struct Extreme {
    input: ArrowType,
    max: bool,
}

impl AggregateFunction for Extreme {
    fn name(&self) -> &str {
        if self.max { "MAX" } else { "MIN" }
    }

    fn accumulator(&self, retractable: bool) -> Box<dyn Accumulator> {
        if retractable {
            return Box::new(Multisets {
                input: self.input.clone(),
                max: self.max,
                groups: Vec::new(),
            });
        }
        append_only(&self.input, self.max).expect("the constructor has checked the type")
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        Some(vec![self.input.clone()])
    }
}

/// Calls a generic function with the Arrow primitive type behind `data_type`.
macro_rules! with_primitive {
    ($data_type:expr, $function:ident($($arg:expr),*), $other:expr) => {
        match $data_type {
            ArrowType::Int8 => $function::<Int8Type>($($arg),*),
            ArrowType::Int16 => $function::<Int16Type>($($arg),*),
            ArrowType::Int32 => $function::<Int32Type>($($arg),*),
            ArrowType::Int64 => $function::<Int64Type>($($arg),*),
            ArrowType::Float32 => $function::<Float32Type>($($arg),*),
            ArrowType::Float64 => $function::<Float64Type>($($arg),*),
            ArrowType::Decimal128(_, _) => $function::<Decimal128Type>($($arg),*),
            ArrowType::Date32 => $function::<Date32Type>($($arg),*),
            ArrowType::Time32(TimeUnit::Millisecond) => $function::<Time32MillisecondType>($($arg),*),
            ArrowType::Timestamp(TimeUnit::Millisecond, _) => {
                $function::<TimestampMillisecondType>($($arg),*)
            }
            ArrowType::Timestamp(TimeUnit::Microsecond, _) => {
                $function::<TimestampMicrosecondType>($($arg),*)
            }
            ArrowType::Timestamp(TimeUnit::Nanosecond, _) => {
                $function::<TimestampNanosecondType>($($arg),*)
            }
            ArrowType::Duration(TimeUnit::Millisecond) => {
                $function::<DurationMillisecondType>($($arg),*)
            }
            ArrowType::Interval(IntervalUnit::YearMonth) => {
                $function::<IntervalYearMonthType>($($arg),*)
            }
            _ => $other,
        }
    };
}

fn append_only(input: &ArrowType, max: bool) -> Option<Box<dyn Accumulator>> {
    fn primitive<T: ArrowPrimitiveType>(
        input: &ArrowType,
        max: bool,
    ) -> Option<Box<dyn Accumulator>> {
        let output = input.clone();
        Some(if max {
            Box::new(Best::<T, true> { output, groups: Vec::new() })
        } else {
            Box::new(Best::<T, false> { output, groups: Vec::new() })
        })
    }
    let bytes = || -> Box<dyn Accumulator> {
        Box::new(BestBytes { output: input.clone(), max, groups: Vec::new() })
    };
    with_primitive!(
        input,
        primitive(input, max),
        matches!(input, ArrowType::Utf8 | ArrowType::Binary | ArrowType::Boolean).then(bytes)
    )
}

/// The best value of each group, and whether there is one.
struct Best<T: ArrowPrimitiveType, const MAX: bool> {
    output: ArrowType,
    groups: Vec<(T::Native, bool)>,
}

impl<T: ArrowPrimitiveType, const MAX: bool> Accumulator for Best<T, MAX> {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        debug_assert!(weights.is_none_or(|w| w.iter().all(|&w| w > 0)), "append-only state");
        grow(&mut self.groups, group_count);
        let mask = selection(args, filter);
        let values = &args[0].as_primitive::<T>().values()[..groups.len()];
        let state = self.groups.as_mut_slice();
        each_row(groups, mask.as_ref(), None, |row, group, _| {
            let (best, seen) = &mut state[group];
            let value = values[row];
            let better = if MAX { value > *best } else { value < *best };
            if better || !*seen {
                (*best, *seen) = (value, true);
            }
        });
        Ok(())
    }

    fn scan(&mut self, changes: &Changes<'_>) -> Result<Option<ArrayRef>> {
        grow(&mut self.groups, changes.group_count);
        let values = &changes.args[0].as_primitive::<T>().values()[..changes.groups.len()];
        let state = self.groups.as_mut_slice();
        let mut results = Vec::with_capacity(changes.reads.len());
        play(changes, |step| match step {
            Step::Change(row, group, _) => {
                let (best, seen) = &mut state[group];
                let value = values[row];
                let better = if MAX { value > *best } else { value < *best };
                if better || !*seen {
                    (*best, *seen) = (value, true);
                }
            }
            Step::Read(group) => results.push(state[group]),
        });
        let nulls = validity(results.iter().map(|result| result.1));
        let values = results.into_iter().map(|result| result.0).collect();
        let array = PrimitiveArray::<T>::new(values, nulls);
        Ok(Some(Arc::new(array.with_data_type(self.output.clone()))))
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        self.update(states, groups, group_count, None, None)
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish(groups)?])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        let get = |&group: &u32| self.groups.get(group as usize).copied().unwrap_or_default();
        let nulls = validity(groups.iter().map(|group| get(group).1));
        let values = groups.iter().map(|group| get(group).0).collect();
        let array = PrimitiveArray::<T>::new(values, nulls);
        Ok(Arc::new(array.with_data_type(self.output.clone())))
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(state) = self.groups.get_mut(group as usize) {
                *state = Default::default();
            }
        }
    }

    fn size_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<(T::Native, bool)>()
    }
}

/// Calls `visit` with the bytes by which values of a string, binary or boolean column are compared.
fn bytes_at(array: &dyn Array, row: usize) -> &[u8] {
    match array.data_type() {
        ArrowType::Utf8 => array.as_string::<i32>().value(row).as_bytes(),
        ArrowType::Binary => array.as_binary::<i32>().value(row),
        _ if array.as_boolean().value(row) => &[1],
        _ => &[0],
    }
}

/// The inverse of [`bytes_at`].
fn from_bytes<'a>(
    values: impl Iterator<Item = Option<&'a [u8]>>,
    output: &ArrowType,
) -> Result<ArrayRef> {
    Ok(match output {
        ArrowType::Utf8 => {
            let text = values.map(|v| v.map(std::str::from_utf8).transpose());
            let text: Result<StringArray, _> = text.collect();
            Arc::new(text.map_err(|e| Error::internal("not UTF-8").with_source(e))?)
        }
        ArrowType::Binary => Arc::new(values.collect::<BinaryArray>()),
        _ => Arc::new(values.map(|v| v.map(|v| v[0] != 0)).collect::<BooleanArray>()),
    })
}

/// The same for strings, binaries and booleans; a better value reuses the allocation of the one before.
struct BestBytes {
    output: ArrowType,
    max: bool,
    groups: Vec<Option<Vec<u8>>>,
}

impl Accumulator for BestBytes {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        _weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.groups, group_count);
        let mask = selection(args, filter);
        let array = args[0].as_ref();
        each_row(groups, mask.as_ref(), None, |row, group, _| {
            let value = bytes_at(array, row);
            match &mut self.groups[group] {
                Some(best) => {
                    let better = if self.max { value > &best[..] } else { value < &best[..] };
                    if better {
                        best.clear();
                        best.extend_from_slice(value);
                    }
                }
                none => *none = Some(value.to_vec()),
            }
        });
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        self.update(states, groups, group_count, None, None)
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish(groups)?])
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        let get = |&group: &u32| self.groups.get(group as usize).and_then(Option::as_deref);
        from_bytes(groups.iter().map(get), &self.output)
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(state) = self.groups.get_mut(group as usize) {
                *state = None;
            }
        }
    }

    fn size_bytes(&self) -> usize {
        let held = self.groups.iter().flatten().map(Vec::capacity).sum::<usize>();
        self.groups.capacity() * size_of::<Option<Vec<u8>>>() + held
    }
}

/// A value in an order that all types share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Ordered {
    Number(i128),
    Bytes(Box<[u8]>),
}

/// A native value as an i128 of the same order, and back.
trait ToOrdered: Copy {
    fn to_ordered(self) -> i128;
    fn from_ordered(ordered: i128) -> Self;
}

macro_rules! integer_ordered {
    ($($native:ty),*) => {$(
        impl ToOrdered for $native {
            fn to_ordered(self) -> i128 {
                i128::from(self)
            }
            fn from_ordered(ordered: i128) -> Self {
                ordered as $native
            }
        }
    )*};
}
integer_ordered!(i8, i16, i32, i64, i128);

impl ToOrdered for f64 {
    fn to_ordered(self) -> i128 {
        let bits = self.to_bits() as i64;
        i128::from(if bits < 0 { bits ^ i64::MAX } else { bits })
    }
    fn from_ordered(ordered: i128) -> Self {
        let bits = ordered as i64;
        f64::from_bits((if bits < 0 { bits ^ i64::MAX } else { bits }) as u64)
    }
}

impl ToOrdered for f32 {
    fn to_ordered(self) -> i128 {
        f64::from(self).to_ordered()
    }
    fn from_ordered(ordered: i128) -> Self {
        f64::from_ordered(ordered) as f32
    }
}

fn ordered_values<T: ArrowPrimitiveType<Native: ToOrdered>>(array: &dyn Array) -> Vec<Ordered> {
    let values = array.as_primitive::<T>().values();
    values.iter().map(|v| Ordered::Number(v.to_ordered())).collect()
}

fn from_ordered<T: ArrowPrimitiveType<Native: ToOrdered>>(
    values: &[Option<&Ordered>],
    output: &ArrowType,
) -> ArrayRef {
    let native = |value: &Option<&Ordered>| match value {
        Some(Ordered::Number(number)) => T::Native::from_ordered(*number),
        _ => T::Native::default(),
    };
    let nulls = validity(values.iter().map(Option::is_some));
    let array = PrimitiveArray::<T>::new(values.iter().map(native).collect(), nulls);
    Arc::new(array.with_data_type(output.clone()))
}

/// Every value of each group with its weight.
struct Multisets {
    input: ArrowType,
    max: bool,
    groups: Vec<BTreeMap<Ordered, i64>>,
}

impl Multisets {
    fn values_of(&self, array: &ArrayRef) -> Vec<Ordered> {
        let array = array.as_ref();
        let bytes =
            || (0..array.len()).map(|row| Ordered::Bytes(bytes_at(array, row).into())).collect();
        with_primitive!(&self.input, ordered_values(array), bytes())
    }

    fn values_from(&self, values: &[Option<&Ordered>]) -> Result<ArrayRef> {
        let bytes = || {
            let bytes = values.iter().map(|value| match value {
                Some(Ordered::Bytes(bytes)) => Some(&bytes[..]),
                _ => None,
            });
            from_bytes(bytes, &self.input)
        };
        Ok(with_primitive!(&self.input, from_ordered(values, &self.input), bytes()?))
    }

    fn best(&self, group: u32) -> Option<&Ordered> {
        let values = self.groups.get(group as usize)?;
        // A value whose removal came before its arrival has a negative weight for a moment.
        let mut present = values.iter().filter(|(_, weight)| **weight > 0).map(|(value, _)| value);
        if self.max { present.next_back() } else { present.next() }
    }
}

/// Adds `weight` copies of a value, or takes them back.
fn change(values: &mut BTreeMap<Ordered, i64>, value: Ordered, weight: i64) {
    match values.entry(value) {
        Entry::Vacant(entry) => {
            entry.insert(weight);
        }
        Entry::Occupied(mut entry) => {
            *entry.get_mut() += weight;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl Accumulator for Multisets {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.groups, group_count);
        let mask = selection(args, filter);
        let mut values = self.values_of(&args[0]);
        each_row(groups, mask.as_ref(), weights, |row, group, weight| {
            let value = std::mem::replace(&mut values[row], Ordered::Number(0));
            change(&mut self.groups[group], value, weight);
        });
        Ok(())
    }

    fn scan(&mut self, changes: &Changes<'_>) -> Result<Option<ArrayRef>> {
        grow(&mut self.groups, changes.group_count);
        let mut values = self.values_of(&changes.args[0]);
        let mut results = Vec::with_capacity(changes.reads.len());
        play(changes, |step| match step {
            Step::Change(row, group, weight) => {
                let value = std::mem::replace(&mut values[row], Ordered::Number(0));
                change(&mut self.groups[group], value, weight);
            }
            Step::Read(group) => results.push(self.best(group as u32).cloned()),
        });
        let results: Vec<Option<&Ordered>> = results.iter().map(Option::as_ref).collect();
        self.values_from(&results).map(Some)
    }

    /// The values with their weights.
    fn save(&self, groups: &[u32]) -> Result<SavedGroups> {
        let (mut places, mut values, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (place, &group) in (0..).zip(groups) {
            for (value, weight) in self.groups.get(group as usize).into_iter().flatten() {
                places.push(place);
                values.push(Some(value));
                weights.push(*weight);
            }
        }
        let weights = Arc::new(Int64Array::from(weights));
        Ok(SavedGroups { places, columns: vec![self.values_from(&values)?, weights] })
    }

    fn load(&mut self, columns: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        let weights = columns[1].as_primitive::<Int64Type>().values();
        self.update(&columns[..1], groups, group_count, None, Some(weights))
    }

    fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        for (&from, &to) in from.iter().zip(to) {
            let values = std::mem::take(&mut self.groups[from as usize]);
            let group = &mut self.groups[to as usize];
            for (value, weight) in values {
                let sum = group.get(&value).copied().unwrap_or(0) + weight;
                if sum == 0 {
                    group.remove(&value);
                } else {
                    group.insert(value, sum);
                }
            }
        }
        Ok(())
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        let best: Vec<Option<&Ordered>> = groups.iter().map(|&group| self.best(group)).collect();
        self.values_from(&best)
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(state) = self.groups.get_mut(group as usize) {
                state.clear();
            }
        }
    }

    fn size_bytes(&self) -> usize {
        let values = self.groups.iter().map(BTreeMap::len).sum::<usize>();
        self.groups.capacity() * size_of::<BTreeMap<Ordered, i64>>()
            + values * (size_of::<Ordered>() + 8) * 3 / 2
    }
}
