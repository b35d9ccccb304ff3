//! PERCENTILE(value, percentage [, frequency]): the exact value below which a share of a group lies, between its
//! neighbours linearly.
//! Invariant: a group is an ordered map from value to how often it is there; NULLs and frequencies of 0 or less are
//! left out. The percentages are constants of the query, in [0, 1].

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Error, Result};

use super::rows::{each_row, grow, selection};
use super::{Accumulator, AggregateFunction, SavedGroups};

/// PERCENTILE of DOUBLEs. Arguments: the value and, if there are two, the frequency (Int64). The result is a DOUBLE,
/// or with `output` an array of that list type, one element a percentage.
pub fn percentile(percentages: Vec<f64>, output: Option<ArrowType>) -> Arc<dyn AggregateFunction> {
    Arc::new(Percentile { percentages, output })
}

#[derive(Debug, Clone)]
struct Percentile {
    percentages: Vec<f64>,
    output: Option<ArrowType>,
}

impl AggregateFunction for Percentile {
    fn name(&self) -> &str {
        "PERCENTILE"
    }

    fn accumulator(&self, _retractable: bool) -> Box<dyn Accumulator> {
        Box::new(Samples { function: self.clone(), groups: Vec::new() })
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        None
    }
}

/// A DOUBLE in the order of its values: -0.0 before 0.0, NaN last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(i64);

impl Key {
    fn of(value: f64) -> Self {
        let bits = value.to_bits() as i64;
        Self(if bits < 0 { bits ^ i64::MAX } else { bits })
    }

    fn value(self) -> f64 {
        let Self(bits) = self;
        f64::from_bits((if bits < 0 { bits ^ i64::MAX } else { bits }) as u64)
    }
}

struct Samples {
    function: Percentile,
    groups: Vec<BTreeMap<Key, i64>>,
}

fn add(group: &mut BTreeMap<Key, i64>, value: Key, weight: i64) {
    let sum = group.entry(value).or_default();
    *sum += weight;
    if *sum == 0 {
        group.remove(&value);
    }
}

/// The value at `percentage` of a group that holds `total` values.
fn at(group: &BTreeMap<Key, i64>, total: i64, percentage: f64) -> f64 {
    let position = (total - 1) as f64 * percentage;
    let (lower, upper) = (position.floor(), position.ceil());
    let (mut seen, mut below) = (0, None);
    for (key, &count) in group.iter().filter(|(_, count)| **count > 0) {
        seen += count;
        if below.is_none() && (seen - 1) as f64 >= lower {
            below = Some(key.value());
        }
        if (seen - 1) as f64 >= upper {
            let (above, below) = (key.value(), below.unwrap_or_default());
            if lower == upper || below == above {
                return below;
            }
            return (upper - position) * below + (position - lower) * above;
        }
    }
    below.unwrap_or_default()
}

impl Samples {
    fn group(&self, group: u32) -> Option<(&BTreeMap<Key, i64>, i64)> {
        let group = self.groups.get(group as usize)?;
        let total: i64 = group.values().filter(|count| **count > 0).sum();
        (total > 0).then_some((group, total))
    }
}

impl Accumulator for Samples {
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
        let values = args[0].as_primitive::<Float64Type>().values();
        let frequencies = args.get(1).map(|arg| arg.as_primitive::<Int64Type>().values());
        each_row(groups, mask.as_ref(), weights, |row, group, weight| {
            let frequency = frequencies.map_or(1, |f| f[row]);
            if frequency > 0 {
                add(&mut self.groups[group], Key::of(values[row]), weight * frequency);
            }
        });
        Ok(())
    }

    /// The values with their weights.
    fn save(&self, groups: &[u32]) -> Result<SavedGroups> {
        let (mut places, mut values, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (place, &group) in (0..).zip(groups) {
            for (key, weight) in self.groups.get(group as usize).into_iter().flatten() {
                places.push(place);
                values.push(key.value());
                weights.push(*weight);
            }
        }
        let values = Arc::new(Float64Array::from(values));
        Ok(SavedGroups { places, columns: vec![values, Arc::new(Int64Array::from(weights))] })
    }

    fn load(&mut self, columns: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        let weights = columns[1].as_primitive::<Int64Type>().values();
        self.update(&columns[..1], groups, group_count, None, Some(weights))
    }

    fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        for (&from, &to) in from.iter().zip(to) {
            for (value, weight) in std::mem::take(&mut self.groups[from as usize]) {
                add(&mut self.groups[to as usize], value, weight);
            }
        }
        Ok(())
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        let Percentile { percentages, output } = &self.function;
        let Some(output) = output else {
            let result = |&group: &u32| {
                self.group(group).map(|(group, total)| at(group, total, percentages[0]))
            };
            return Ok(Arc::new(groups.iter().map(result).collect::<Float64Array>()));
        };
        let ArrowType::List(field) = output else {
            return Err(Error::internal("the result of PERCENTILE is no list"));
        };
        let found: Vec<Option<_>> = groups.iter().map(|&group| self.group(group)).collect();
        let values = found.iter().flatten().flat_map(|&(group, total)| {
            percentages.iter().map(move |&percentage| at(group, total, percentage))
        });
        let values = Arc::new(Float64Array::from_iter_values(values));
        let lengths = found.iter().map(|g| if g.is_some() { percentages.len() } else { 0 });
        let offsets = OffsetBuffer::from_lengths(lengths);
        let nulls: NullBuffer = found.iter().map(Option::is_some).collect();
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, Some(nulls))?))
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(group) = self.groups.get_mut(group as usize) {
                group.clear();
            }
        }
    }

    fn size_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<BTreeMap<Key, i64>>()
            + self.groups.iter().map(|group| group.len() * 24).sum::<usize>()
    }
}
