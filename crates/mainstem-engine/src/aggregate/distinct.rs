//! DISTINCT: lets each different argument row of a group through once.
//! Invariant: an inner accumulator holds a value exactly while its weight in the group is greater than 0. Values
//! are interned with their group as one key, so a distinct count costs one probe a row; calls with the same arguments, which
//! differ in function and FILTER, share the values and cost one probe together.

mod saved;
mod weights;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_select::filter::filter;
use arrow_select::take::take;
use mainstem_core::Result;

use super::rows::selection;
use super::{Accumulator, SavedGroups};
use crate::key_table::KeyTable;
use weights::Weights;

/// The end of a list of values.
const NONE: u32 = u32::MAX;

/// A value of a group.
#[derive(Debug, Clone, Copy)]
struct Member {
    /// The neighbours in the list of the group's values.
    previous: u32,
    next: u32,
    linked: bool,
}

const STRANGER: Member = Member { previous: NONE, next: NONE, linked: false };

/// Wraps the accumulators of calls with DISTINCT over the same arguments (retractable if this is).
pub(crate) struct Distinct {
    inner: Vec<Box<dyn Accumulator>>,
    /// NULL is a value.
    takes_nulls: bool,
    values: Option<KeyTable>,
    /// By id of the value.
    members: Vec<Member>,
    /// By id of the value, and call.
    weights: Weights,
    /// The first value of each group.
    heads: Vec<u32>,
    ids: Vec<u32>,
}

/// Rows of one update: their groups and arguments, and what each weighs for each call.
struct Rows<'a> {
    /// The groups, then the arguments.
    columns: Vec<ArrayRef>,
    /// By call, the rows that count.
    filters: Vec<Option<BooleanBuffer>>,
    weights: RowWeights<'a>,
}

enum RowWeights<'a> {
    One,
    /// By row.
    Same(Vec<i64>),
    /// By call, and row.
    Each(&'a [Vec<i64>]),
}

impl Rows<'_> {
    #[inline]
    fn weight(&self, call: usize, row: usize) -> i64 {
        if self.filters[call].as_ref().is_some_and(|filter| !filter.value(row)) {
            return 0;
        }
        match &self.weights {
            RowWeights::One => 1,
            RowWeights::Same(weights) => weights[row],
            RowWeights::Each(weights) => weights[call][row],
        }
    }
}

impl Distinct {
    /// `retracts`: as the inner ones were made.
    pub(crate) fn new(inner: Vec<Box<dyn Accumulator>>, takes_nulls: bool, retracts: bool) -> Self {
        Self {
            weights: Weights::new(inner.len(), retracts),
            inner,
            takes_nulls,
            values: None,
            members: Vec::new(),
            heads: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// As [`Accumulator::update`], with the filter of each call.
    pub(crate) fn update_all(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filters: &[Option<&BooleanArray>],
        weights: Option<&[i64]>,
    ) -> Result<()> {
        let rows = self.select(args, groups, filters, weights)?;
        self.take_in(&rows, group_count)
    }

    /// The results of one call.
    pub(crate) fn finish_one(&self, call: usize, groups: &[u32]) -> Result<ArrayRef> {
        self.inner[call].finish(groups)
    }

    /// The rows that count for some call.
    fn select(
        &self,
        args: &[ArrayRef],
        groups: &[u32],
        filters: &[Option<&BooleanArray>],
        weights: Option<&[i64]>,
    ) -> Result<Rows<'static>> {
        let group_column: ArrayRef = Arc::new(UInt32Array::from(groups.to_vec()));
        let columns: Vec<ArrayRef> =
            std::iter::once(group_column).chain(args.iter().cloned()).collect();
        let truths: Vec<Option<BooleanBuffer>> =
            filters.iter().map(|filter| selection(&[], *filter)).collect();
        let some = truths.iter().cloned().reduce(|a, b| Some(&a? | &b?)).flatten();
        let counted = if self.takes_nulls { &[] } else { args };
        let valid = selection(counted, None);
        let mask = match (some, valid) {
            (Some(a), Some(b)) => Some(&a & &b),
            (a, b) => a.or(b),
        };
        let Some(mask) = mask else {
            let weights = weights.map_or(RowWeights::One, |w| RowWeights::Same(w.to_vec()));
            return Ok(Rows { columns, filters: truths, weights });
        };
        let weights = weights.map_or(RowWeights::One, |weights| {
            RowWeights::Same(mask.set_indices().map(|row| weights[row]).collect())
        });
        let alone = truths.len() == 1;
        let narrowed = |truth: Option<BooleanBuffer>| {
            // With one call the mask says all.
            let truth = truth.filter(|_| !alone)?;
            Some(mask.set_indices().map(|row| truth.value(row)).collect())
        };
        let filters = truths.into_iter().map(narrowed).collect();
        let mask = BooleanArray::new(mask.clone(), None);
        let columns = columns.iter().map(|c| filter(c, &mask)).collect::<Result<_, _>>()?;
        Ok(Rows { columns, filters, weights })
    }

    fn take_in(&mut self, rows: &Rows<'_>, group_count: usize) -> Result<()> {
        let columns = &rows.columns;
        let mut ids = std::mem::take(&mut self.ids);
        self.intern(columns, group_count, &mut ids)?;
        let (groups, args) = (columns[0].as_primitive::<UInt32Type>().values(), &columns[1..]);
        if matches!(rows.weights, RowWeights::One) {
            let first = self.weights.first_of(&ids, &rows.filters);
            for (inner, first) in self.inner.iter_mut().zip(first) {
                if first.count_set_bits() > 0 {
                    let first = BooleanArray::new(first, None);
                    inner.update(args, groups, group_count, Some(&first), None)?;
                }
            }
            self.ids = ids;
            return Ok(());
        }
        let mut gone = Vec::new();
        for (call, inner) in self.inner.iter_mut().enumerate() {
            let mut changes = Vec::new();
            let changed = BooleanBuffer::collect_bool(ids.len(), |row| {
                let (before, after) = self.weights.add(ids[row], call, rows.weight(call, row));
                if after == 0 {
                    gone.push((groups[row] as usize, ids[row]));
                }
                let change = i64::from(after > 0) - i64::from(before > 0);
                changes.extend((change != 0).then_some(change));
                change != 0
            });
            if !changes.is_empty() {
                let changed = BooleanArray::new(changed, None);
                let columns: Vec<ArrayRef> =
                    columns.iter().map(|c| filter(c, &changed)).collect::<Result<_, _>>()?;
                let groups = columns[0].as_primitive::<UInt32Type>().values();
                inner.update(&columns[1..], groups, group_count, None, Some(&changes))?;
            }
        }
        self.forget(&gone);
        self.ids = ids;
        Ok(())
    }

    /// The ids of values, whose columns begin with the group; new ones are linked to their groups and weigh nothing.
    fn intern(
        &mut self,
        columns: &[ArrayRef],
        group_count: usize,
        ids: &mut Vec<u32>,
    ) -> Result<()> {
        if self.heads.len() < group_count {
            self.heads.resize(group_count, NONE);
        }
        let table = match &mut self.values {
            Some(table) => table,
            none => {
                let types: Vec<_> = columns.iter().map(|c| c.data_type().clone()).collect();
                none.insert(KeyTable::new(&types)?)
            }
        };
        // Whoever is below was linked already, unless ids are given out again.
        let fresh = if table.free().is_empty() { table.bound() as u32 } else { 0 };
        table.intern(columns, columns[0].len(), ids)?;
        if self.members.len() < table.bound() {
            self.members.resize(table.bound(), STRANGER);
            self.weights.resize(table.bound());
        }
        let groups = columns[0].as_primitive::<UInt32Type>().values();
        for (&id, &group) in ids.iter().zip(groups) {
            if id >= fresh && !self.members[id as usize].linked {
                self.link(group as usize, id);
            }
        }
        Ok(())
    }

    /// Takes saved values with their weights; the accumulators have them already.
    fn restore(
        &mut self,
        columns: &[ArrayRef],
        groups: Vec<u32>,
        group_count: usize,
    ) -> Result<()> {
        let calls = self.inner.len();
        let (args, weights) = columns.split_at(columns.len() - calls);
        let groups: ArrayRef = Arc::new(UInt32Array::from(groups));
        let keys: Vec<ArrayRef> = std::iter::once(groups).chain(args.iter().cloned()).collect();
        let mut ids = Vec::new();
        self.intern(&keys, group_count, &mut ids)?;
        for (call, weights) in weights.iter().enumerate() {
            let weights = weights.as_primitive::<Int64Type>().values();
            for (&id, &weight) in ids.iter().zip(weights) {
                self.weights.add(id, call, weight);
            }
        }
        Ok(())
    }

    /// The ids of all values of groups, oldest first, and `names[i]` for each of those of `groups[i]`.
    fn values_of(&self, groups: &[u32], names: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let (mut ids, mut named) = (Vec::new(), Vec::new());
        for (&group, &name) in groups.iter().zip(names) {
            let mut id = self.heads.get(group as usize).copied().unwrap_or(NONE);
            let first = ids.len();
            while id != NONE {
                ids.push(id);
                named.push(name);
                id = self.members[id as usize].next;
            }
            // The list has the latest value first.
            ids[first..].reverse();
        }
        (ids, named)
    }

    /// By call, the weights of values.
    fn weights_of(&self, ids: &[u32]) -> Vec<Vec<i64>> {
        let calls = self.inner.len();
        let weight = |call, &id: &u32| self.weights.get(id, call);
        (0..calls).map(|call| ids.iter().map(|id| weight(call, id)).collect()).collect()
    }

    /// Takes in values of groups with their weights, by call.
    fn take_values(
        &mut self,
        args: &[ArrayRef],
        groups: Vec<u32>,
        group_count: usize,
        each: &[Vec<i64>],
    ) -> Result<()> {
        let groups: ArrayRef = Arc::new(UInt32Array::from(groups));
        let rows = Rows {
            columns: std::iter::once(groups).chain(args.iter().cloned()).collect(),
            filters: vec![None; self.inner.len()],
            weights: RowWeights::Each(each),
        };
        self.take_in(&rows, group_count)
    }

    fn link(&mut self, group: usize, id: u32) {
        let next = std::mem::replace(&mut self.heads[group], id);
        if next != NONE {
            self.members[next as usize].previous = id;
        }
        self.members[id as usize] = Member { previous: NONE, next, linked: true };
    }

    /// Releases the values whose weights came to 0 and stayed there.
    fn forget(&mut self, gone: &[(usize, u32)]) {
        let mut released = Vec::new();
        for &(group, id) in gone {
            let member = self.members[id as usize];
            if !member.linked || !self.weights.is_zero(id) {
                continue;
            }
            match member.previous {
                NONE => self.heads[group] = member.next,
                previous => self.members[previous as usize].next = member.next,
            }
            if member.next != NONE {
                self.members[member.next as usize].previous = member.previous;
            }
            self.members[id as usize] = STRANGER;
            released.push(id);
        }
        if let Some(values) = &mut self.values {
            values.release(&released);
        }
    }
}

impl Accumulator for Distinct {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        row_filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        self.update_all(args, groups, group_count, &vec![row_filter; self.inner.len()], weights)
    }

    /// A row a value, with its weight for each call, then what each call's accumulator saves: sums of numbers that come in another
    /// order are other sums.
    fn save(&self, groups: &[u32]) -> Result<SavedGroups> {
        let Some(values) = &self.values else { return Ok(SavedGroups::default()) };
        let all: Vec<u32> = (0..groups.len() as u32).collect();
        let (ids, mut places) = self.values_of(groups, &all);
        let mut own = values.emit(&ids)?.split_off(1);
        for weights in self.weights_of(&ids) {
            own.push(Arc::new(Int64Array::from(weights)));
        }
        let mut sections = vec![(ids.len(), own)];
        for inner in &self.inner {
            let saved = inner.save(groups)?;
            let rows = saved.places.len();
            places.extend(saved.places);
            sections.push((rows, vec![saved::packed(saved.columns, rows)?]));
        }
        Ok(SavedGroups { places, columns: saved::stacked(&sections)? })
    }

    fn load(&mut self, columns: &[ArrayRef], groups: &[u32], group_count: usize) -> Result<()> {
        let calls = self.inner.len();
        let width = columns.len() - 1 - calls;
        for (section, rows) in saved::sections(&columns[0], calls + 1) {
            let groups: Vec<u32> = rows.iter().map(|&row| groups[row as usize]).collect();
            if groups.is_empty() {
                continue;
            }
            let rows = UInt32Array::from(rows);
            let pick = |column: &ArrayRef| Ok(take(column, &rows, None)?);
            if section == 0 {
                let own = columns[1..=width].iter().map(pick).collect::<Result<Vec<_>>>()?;
                self.restore(&own, groups, group_count)?;
            } else {
                let packed = pick(&columns[width + section])?;
                let inner = &mut self.inner[section - 1];
                inner.load(packed.as_struct().columns(), &groups, group_count)?;
            }
        }
        Ok(())
    }

    fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        let (ids, groups) = self.values_of(from, to);
        let args = match &self.values {
            Some(values) if !ids.is_empty() => values.emit(&ids)?.split_off(1),
            _ => return Ok(()),
        };
        let each = self.weights_of(&ids);
        self.clear(from);
        self.take_values(&args, groups, group_count, &each)
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        self.finish_one(0, groups)
    }

    fn clear(&mut self, groups: &[u32]) {
        self.inner.iter_mut().for_each(|inner| inner.clear(groups));
        let mut released = Vec::new();
        for &group in groups {
            let Some(head) = self.heads.get_mut(group as usize) else { continue };
            let mut id = std::mem::replace(head, NONE);
            while id != NONE {
                released.push(id);
                self.weights.clear(id);
                id = std::mem::replace(&mut self.members[id as usize], STRANGER).next;
            }
        }
        if let Some(values) = &mut self.values {
            values.release(&released);
        }
    }

    fn size_bytes(&self) -> usize {
        self.inner.iter().map(|inner| inner.size_bytes()).sum::<usize>()
            + self.values.as_ref().map_or(0, KeyTable::size_bytes)
            + self.members.capacity() * size_of::<Member>()
            + self.weights.size_bytes()
            + self.heads.capacity() * 4
    }
}
