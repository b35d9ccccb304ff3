//! BITMAP_BUILD_AGG, BITMAP_OR_AGG, BITMAP_AND_AGG, BITMAP_XOR_AGG and their cardinalities: one set a group.
//! Invariant: `rows` counts the values that are there; without any the result is NULL. Under retraction a set of OR, AND
//! or BUILD holds what is there at all, and `counts` how often it is, where that is not once; XOR undoes itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, Int64Array, UInt32Array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::Result;
use mainstem_core::bitmap::{self, Bitmap};

use super::rows::{each_row, grow, selection};
use super::{Accumulator, AggregateFunction, SavedGroups};

/// The function of that name (upper case), with whether its argument is an INT (else a BITMAP) and its result a number.
pub(super) fn bitmap_aggregate(name: &str) -> Option<(Arc<dyn AggregateFunction>, bool, bool)> {
    let function = FUNCTIONS.iter().find(|f| f.name == name)?;
    let of_numbers = function.op == Op::Build;
    Some((Arc::new(*function), of_numbers, function.cardinality))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Build,
    Or,
    And,
    Xor,
}

#[derive(Debug, Clone, Copy)]
struct Bitmaps {
    name: &'static str,
    op: Op,
    cardinality: bool,
}

const fn function(name: &'static str, op: Op, cardinality: bool) -> Bitmaps {
    Bitmaps { name, op, cardinality }
}

static FUNCTIONS: &[Bitmaps] = &[
    function("BITMAP_BUILD_AGG", Op::Build, false),
    function("BITMAP_BUILD_CARDINALITY_AGG", Op::Build, true),
    function("BITMAP_OR_AGG", Op::Or, false),
    function("BITMAP_OR_CARDINALITY_AGG", Op::Or, true),
    function("BITMAP_AND_AGG", Op::And, false),
    function("BITMAP_AND_CARDINALITY_AGG", Op::And, true),
    function("BITMAP_XOR_AGG", Op::Xor, false),
    function("BITMAP_XOR_CARDINALITY_AGG", Op::Xor, true),
];

impl AggregateFunction for Bitmaps {
    fn name(&self) -> &str {
        self.name
    }

    fn accumulator(&self, retractable: bool) -> Box<dyn Accumulator> {
        Box::new(Sets { function: *self, counted: retractable, groups: Vec::new() })
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        None
    }
}

#[derive(Debug, Clone, Default)]
struct Group {
    rows: i64,
    set: Bitmap,
    /// How often a value is there, if not once; it is in `set` while that is not 0.
    counts: BTreeMap<u32, i64>,
}

impl Group {
    /// How often `value` is there.
    fn count(&self, value: u32) -> i64 {
        self.counts.get(&value).copied().unwrap_or_else(|| i64::from(self.set.contains(value)))
    }

    fn add(&mut self, value: u32, weight: i64) {
        match self.count(value) + weight {
            0 => {
                self.set.remove(value);
                self.counts.remove(&value);
            }
            1 => {
                self.set.insert(value);
                self.counts.remove(&value);
            }
            count => {
                self.set.insert(value);
                self.counts.insert(value, count);
            }
        }
    }

    /// Takes in a set `weight` times.
    fn take(&mut self, op: Op, counted: bool, set: &Bitmap, weight: i64) {
        let first = self.rows == 0;
        self.rows += weight;
        match op {
            // Twice is never.
            Op::Xor if weight % 2 == 0 => {}
            Op::Xor => self.set ^= set,
            _ if counted => set.iter().for_each(|value| self.add(value, weight)),
            Op::And if !first => self.set &= set,
            Op::Build | Op::Or | Op::And => self.set |= set,
        }
    }

    /// The result; `None` without rows.
    fn result(&self, op: Op, counted: bool) -> Option<Bitmap> {
        if self.rows <= 0 {
            return None;
        }
        Some(match op {
            Op::Xor => self.set.clone(),
            _ if !counted => self.set.clone(),
            Op::And => self.set.iter().filter(|&v| self.count(v) == self.rows).collect(),
            Op::Build | Op::Or if self.counts.values().all(|count| *count > 0) => self.set.clone(),
            Op::Build | Op::Or => self.set.iter().filter(|&v| self.count(v) > 0).collect(),
        })
    }

    /// Takes in all of another group, which came later.
    fn absorb(&mut self, op: Op, counted: bool, from: Group) {
        if from.rows == 0 && from.set.is_empty() {
            return;
        }
        if counted && op != Op::Xor {
            self.rows += from.rows;
            from.set.iter().for_each(|value| self.add(value, from.count(value)));
            return;
        }
        let others = from.rows - 1;
        self.take(op, counted, &from.set, 1);
        self.rows += others;
    }
}

struct Sets {
    function: Bitmaps,
    counted: bool,
    groups: Vec<Group>,
}

impl Accumulator for Sets {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.groups, group_count);
        let (op, counted) = (self.function.op, self.counted);
        let mask = selection(args, filter);
        if op == Op::Build {
            let values = args[0].as_primitive::<Int32Type>().values();
            each_row(groups, mask.as_ref(), weights, |row, group, weight| {
                let group = &mut self.groups[group];
                group.rows += weight;
                if counted {
                    group.add(values[row] as u32, weight);
                } else {
                    group.set.insert(values[row] as u32);
                }
            });
            return Ok(());
        }
        let sets = args[0].as_binary::<i32>();
        let mut failure = None;
        each_row(groups, mask.as_ref(), weights, |row, group, weight| {
            match bitmap::read(sets.value(row)) {
                Ok(set) => self.groups[group].take(op, counted, &set, weight),
                Err(error) => failure = Some(error),
            }
        });
        failure.map_or(Ok(()), Err)
    }

    /// A row a group with how many rows it took and its set, then a row for each value that is there not just once.
    fn save(&self, groups: &[u32]) -> Result<SavedGroups> {
        let mut places = Vec::new();
        let (mut rows, mut sets) = (Vec::new(), Vec::new());
        let (mut values, mut counts) = (Vec::new(), Vec::new());
        for (place, &group) in (0..).zip(groups) {
            let Some(group) = self.groups.get(group as usize) else { continue };
            let own = std::iter::once((
                Some(group.rows),
                Some(bitmap::write(group.set.clone())),
                None,
                None,
            ));
            let several =
                group.counts.iter().map(|(&value, &count)| (None, None, Some(value), Some(count)));
            for (group_rows, set, value, count) in own.chain(several) {
                places.push(place);
                rows.push(group_rows);
                sets.push(set);
                values.push(value);
                counts.push(count);
            }
        }
        let sets: BinaryArray = sets.iter().map(Option::as_deref).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(rows)),
            Arc::new(sets),
            Arc::new(UInt32Array::from(values)),
            Arc::new(Int64Array::from(counts)),
        ];
        Ok(SavedGroups { places, columns })
    }

    fn load(&mut self, columns: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        let (rows, counts) =
            (columns[0].as_primitive::<Int64Type>(), columns[3].as_primitive::<Int64Type>());
        let (sets, values) =
            (columns[1].as_binary::<i32>(), columns[2].as_primitive::<UInt32Type>());
        for (row, &group) in groups.iter().enumerate() {
            let group = &mut self.groups[group as usize];
            if rows.is_valid(row) {
                group.rows = rows.value(row);
                group.set = bitmap::read(sets.value(row))?;
            } else {
                group.counts.insert(values.value(row), counts.value(row));
            }
        }
        Ok(())
    }

    fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        for (&from, &to) in from.iter().zip(to) {
            let taken = std::mem::take(&mut self.groups[from as usize]);
            self.groups[to as usize].absorb(self.function.op, self.counted, taken);
        }
        Ok(())
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        let results = groups.iter().map(|&group| {
            let group = self.groups.get(group as usize)?;
            group.result(self.function.op, self.counted)
        });
        if self.function.cardinality {
            let counts = results.map(|set| set.map(|set| set.len() as i64));
            return Ok(Arc::new(counts.collect::<Int64Array>()));
        }
        let mut bytes = BinaryBuilder::with_capacity(groups.len(), groups.len() * 16);
        results.for_each(|set| bytes.append_option(set.map(bitmap::write)));
        Ok(Arc::new(bytes.finish()))
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(group) = self.groups.get_mut(group as usize) {
                *group = Group::default();
            }
        }
    }

    fn size_bytes(&self) -> usize {
        let inner = |g: &Group| g.set.serialized_size() + g.counts.len() * 24;
        self.groups.capacity() * size_of::<Group>() + self.groups.iter().map(inner).sum::<usize>()
    }
}
