//! FIRST_VALUE and LAST_VALUE by order of arrival; NULLs are passed over unless they are asked for.
//! Invariant: append-only state is one value a group with its place in the order of arrival; under retraction it is
//! every value in that order, of which the earliest equal one goes. Partial states cannot be handed out: the order of
//! arrival is this accumulator's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, BooleanArray, UInt32Array, UInt64Array};
use arrow_schema::DataType as ArrowType;
use arrow_select::take::take;
use mainstem_core::Result;

use super::rows::{each_row, grow, selection};
use super::values::Values;
use super::{Accumulator, AggregateFunction, SavedGroups};
use crate::key_table::ABSENT;

/// FIRST_VALUE over `input`, over NULLs too if `takes_nulls`; `None` for a type that cannot be kept.
pub fn first_value(input: &ArrowType, takes_nulls: bool) -> Option<Arc<dyn AggregateFunction>> {
    kept(input, false, takes_nulls)
}

/// LAST_VALUE over `input`, over NULLs too if `takes_nulls`; `None` for a type that cannot be kept.
pub fn last_value(input: &ArrowType, takes_nulls: bool) -> Option<Arc<dyn AggregateFunction>> {
    kept(input, true, takes_nulls)
}

fn kept(input: &ArrowType, last: bool, takes_nulls: bool) -> Option<Arc<dyn AggregateFunction>> {
    let input = input.clone();
    Values::takes(&input)
        .then(|| Arc::new(Kept { input, last, takes_nulls }) as Arc<dyn AggregateFunction>)
}

#[derive(Debug, Clone)]
struct Kept {
    input: ArrowType,
    last: bool,
    takes_nulls: bool,
}

impl Kept {
    fn values(&self) -> Values {
        Values::new(std::slice::from_ref(&self.input))
            .expect("the constructor has checked the type")
    }

    fn selection(
        &self,
        args: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Option<arrow_buffer::BooleanBuffer> {
        selection(if self.takes_nulls { &[] } else { args }, filter)
    }

    /// A column of the given values, NULL for [`ABSENT`].
    fn column(&self, values: &Values, shown: &[u32]) -> Result<ArrayRef> {
        let numbers: Vec<u32> = shown.iter().copied().filter(|&value| value != ABSENT).collect();
        if numbers.is_empty() {
            return Ok(arrow_array::new_null_array(&self.input, shown.len()));
        }
        let column = values.columns(&numbers)?.remove(0);
        if numbers.len() == shown.len() {
            return Ok(column);
        }
        let mut next = 0..numbers.len() as u32;
        let places = shown.iter().map(|&value| if value == ABSENT { None } else { next.next() });
        Ok(take(&column, &places.collect::<UInt32Array>(), None)?)
    }
}

impl AggregateFunction for Kept {
    fn name(&self) -> &str {
        if self.last { "LAST_VALUE" } else { "FIRST_VALUE" }
    }

    fn accumulator(&self, retractable: bool) -> Box<dyn Accumulator> {
        let (function, values) = (self.clone(), self.values());
        if retractable {
            return Box::new(Histories {
                function,
                values,
                by_arrival: BTreeMap::new(),
                by_value: BTreeSet::new(),
                owed: BTreeMap::new(),
                arrivals: 0,
            });
        }
        Box::new(Chosen { function, values, groups: Vec::new(), arrivals: 0 })
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        None
    }

    fn takes_nulls(&self) -> bool {
        self.takes_nulls
    }
}

/// The value of each group that has come first or last, and when.
struct Chosen {
    function: Kept,
    values: Values,
    groups: Vec<Option<(u64, u32)>>,
    arrivals: u64,
}

impl Accumulator for Chosen {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        _weights: Option<&[i64]>,
    ) -> Result<()> {
        grow(&mut self.groups, group_count);
        let mask = self.function.selection(args, filter);
        // The rows that decide, in a batch of many rows a group.
        let mut rows: Vec<(u32, u32)> = Vec::new();
        let (chosen, last) = (&mut self.groups, self.function.last);
        let first_arrival = self.arrivals;
        each_row(groups, mask.as_ref(), None, |row, group, _| {
            let arrival = first_arrival + row as u64;
            match &mut chosen[group] {
                Some(_) if !last => {}
                Some((held, at)) if *held >= first_arrival => {
                    rows[*at as usize].0 = row as u32;
                    *held = arrival;
                }
                held => {
                    let before = held.map_or(ABSENT, |(_, value)| value);
                    *held = Some((arrival, rows.len() as u32));
                    rows.push((row as u32, before));
                }
            }
        });
        self.arrivals += groups.len() as u64;
        let deciding: UInt32Array = rows.iter().map(|(row, _)| *row).collect();
        let numbers = self.values.intern(&[take(&args[0], &deciding, None)?], None)?;
        for (&number, &(row, before)) in numbers.iter().zip(&rows) {
            if let Some((_, value)) = &mut self.groups[groups[row as usize] as usize] {
                *value = number;
            }
            self.values.hold(number);
            if before != ABSENT {
                self.values.let_go(before);
            }
        }
        self.values.sweep();
        Ok(())
    }

    /// The value of each group and its arrival.
    fn save(&self, groups: &[u32]) -> Result<SavedGroups> {
        let (mut places, mut numbers, mut arrivals) = (Vec::new(), Vec::new(), Vec::new());
        for (place, &group) in (0..).zip(groups) {
            if let Some((arrival, value)) = self.groups.get(group as usize).copied().flatten() {
                places.push(place);
                numbers.push(value);
                arrivals.push(arrival);
            }
        }
        let mut columns = self.values.columns(&numbers)?;
        columns.push(Arc::new(UInt64Array::from(arrivals)));
        Ok(SavedGroups { places, columns })
    }

    fn load(&mut self, columns: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        let arrivals = columns[1].as_primitive::<UInt64Type>().values();
        let numbers = self.values.intern(&columns[..1], None)?;
        for ((&group, value), &arrival) in groups.iter().zip(numbers).zip(arrivals) {
            self.groups[group as usize] = Some((arrival, value));
            self.arrivals = self.arrivals.max(arrival + 1);
            self.values.hold(value);
        }
        self.values.sweep();
        Ok(())
    }

    fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        grow(&mut self.groups, group_count);
        for (&from, &to) in from.iter().zip(to) {
            let Some((arrival, value)) = self.groups[from as usize].take() else { continue };
            let held = &mut self.groups[to as usize];
            match *held {
                Some((other, _)) if (other < arrival) != self.function.last => {
                    self.values.let_go(value);
                }
                other => {
                    *held = Some((arrival, value));
                    if let Some((_, value)) = other {
                        self.values.let_go(value);
                    }
                }
            }
        }
        self.values.sweep();
        Ok(())
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        let shown = |&group: &u32| {
            self.groups.get(group as usize).copied().flatten().map_or(ABSENT, |(_, value)| value)
        };
        self.function.column(&self.values, &groups.iter().map(shown).collect::<Vec<_>>())
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some((_, value)) = self.groups.get_mut(group as usize).and_then(Option::take) {
                self.values.let_go(value);
            }
        }
        self.values.sweep();
    }

    fn size_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Option<(u64, u32)>>() + self.values.size_bytes()
    }
}

/// All values of each group in order of arrival.
struct Histories {
    function: Kept,
    values: Values,
    /// (group, arrival) to value.
    by_arrival: BTreeMap<(u32, u64), u32>,
    /// (group, value, arrival).
    by_value: BTreeSet<(u32, u32, u64)>,
    /// (group, value): how often it was taken back before it came.
    owed: BTreeMap<(u32, u32), u32>,
    arrivals: u64,
}

impl Histories {
    fn add(&mut self, group: u32, value: u32, arrival: u64) {
        if self.settle_debt(group, value) {
            return;
        }
        self.by_arrival.insert((group, arrival), value);
        self.by_value.insert((group, value, arrival));
        self.values.hold(value);
    }

    fn settle_debt(&mut self, group: u32, value: u32) -> bool {
        let Some(count) = self.owed.get_mut(&(group, value)) else { return false };
        *count -= 1;
        if *count == 0 {
            self.owed.remove(&(group, value));
        }
        self.values.let_go(value);
        true
    }

    fn take_back(&mut self, group: u32, value: u32) {
        let own = self.by_value.range((group, value, 0)..=(group, value, u64::MAX)).next().copied();
        match own {
            Some(entry) => {
                self.by_value.remove(&entry);
                self.by_arrival.remove(&(group, entry.2));
                self.values.let_go(value);
            }
            None => {
                *self.owed.entry((group, value)).or_default() += 1;
                self.values.hold(value);
            }
        }
    }

    /// Takes everything of a group out: values with their arrival, debts. They are still held.
    fn take_group(&mut self, group: u32) -> (Vec<(u64, u32)>, Vec<(u32, u32)>) {
        let own = self.by_arrival.range((group, 0)..=(group, u64::MAX));
        let items: Vec<(u64, u32)> = own.map(|(&(_, arrival), &value)| (arrival, value)).collect();
        for &(arrival, value) in &items {
            self.by_arrival.remove(&(group, arrival));
            self.by_value.remove(&(group, value, arrival));
        }
        let own = self.owed.range((group, 0)..=(group, u32::MAX));
        let debts: Vec<(u32, u32)> = own.map(|(&(_, value), &count)| (value, count)).collect();
        debts.iter().for_each(|(value, _)| {
            self.owed.remove(&(group, *value));
        });
        (items, debts)
    }
}

impl Accumulator for Histories {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        _group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        let mask = self.function.selection(args, filter);
        let mut numbers = self.values.intern(args, mask.as_ref())?.into_iter();
        each_row(groups, mask.as_ref(), weights, |_, group, weight| {
            let value = numbers.next().expect("one number a visited row");
            for _ in 0..weight {
                self.arrivals += 1;
                let arrival = self.arrivals;
                self.add(group as u32, value, arrival);
            }
            for _ in weight..0 {
                self.take_back(group as u32, value);
            }
        });
        self.values.sweep();
        Ok(())
    }

    /// The values with their arrivals; those that are owed have none, and how often.
    fn save(&self, groups: &[u32]) -> Result<SavedGroups> {
        let (mut places, mut numbers) = (Vec::new(), Vec::new());
        let (mut arrivals, mut debts) = (Vec::new(), Vec::new());
        for (place, &group) in (0..).zip(groups) {
            let own = self.by_arrival.range((group, 0)..=(group, u64::MAX));
            let items = own.map(|(&(_, arrival), &value)| (value, Some(arrival), 0));
            let owed = self.owed.range((group, 0)..=(group, u32::MAX));
            let owed = owed.map(|(&(_, value), &count)| (value, None, count));
            for (value, arrival, debt) in items.chain(owed) {
                places.push(place);
                numbers.push(value);
                arrivals.push(arrival);
                debts.push(debt);
            }
        }
        let mut columns = self.values.columns(&numbers)?;
        columns.push(Arc::new(UInt64Array::from(arrivals)));
        columns.push(Arc::new(UInt32Array::from(debts)));
        Ok(SavedGroups { places, columns })
    }

    fn load(&mut self, columns: &[ArrayRef], groups: &[u32], _group_count: usize) -> Result<()> {
        let arrivals = columns[1].as_primitive::<UInt64Type>();
        let debts = columns[2].as_primitive::<UInt32Type>().values();
        let numbers = self.values.intern(&columns[..1], None)?;
        let rows = groups.iter().zip(numbers).zip(arrivals).zip(debts);
        for (((&group, value), arrival), &debt) in rows {
            match arrival {
                Some(arrival) => {
                    self.add(group, value, arrival);
                    self.arrivals = self.arrivals.max(arrival);
                }
                None => (0..debt).for_each(|_| self.take_back(group, value)),
            }
        }
        self.values.sweep();
        Ok(())
    }

    fn absorb(&mut self, from: &[u32], to: &[u32], _group_count: usize) -> Result<()> {
        for (&from, &to) in from.iter().zip(to) {
            let (items, debts) = self.take_group(from);
            for (arrival, value) in items {
                self.add(to, value, arrival);
                self.values.let_go(value);
            }
            for (value, count) in debts {
                for _ in 0..count {
                    self.take_back(to, value);
                    self.values.let_go(value);
                }
            }
        }
        self.values.sweep();
        Ok(())
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        let shown = |&group: &u32| {
            let mut own = self.by_arrival.range((group, 0)..=(group, u64::MAX));
            let end = if self.function.last { own.next_back() } else { own.next() };
            end.map_or(ABSENT, |(_, &value)| value)
        };
        self.function.column(&self.values, &groups.iter().map(shown).collect::<Vec<_>>())
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            let (items, debts) = self.take_group(group);
            items.iter().for_each(|(_, value)| self.values.let_go(*value));
            for (value, count) in debts {
                (0..count).for_each(|_| self.values.let_go(value));
            }
        }
        self.values.sweep();
    }

    fn size_bytes(&self) -> usize {
        self.values.size_bytes() + self.by_arrival.len() * 64 + self.owed.len() * 24
    }
}
