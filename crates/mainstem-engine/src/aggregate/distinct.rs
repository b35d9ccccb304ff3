//! DISTINCT: lets each different argument row of a group through once.
//! Invariant: the inner accumulator holds a value exactly while its weight in the group is greater than 0. Values
//! are interned with their group as one key, so a distinct count costs one probe a row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_select::filter::filter;
use mainstem_core::Result;

use super::Accumulator;
use super::rows::selection;
use crate::key_table::KeyTable;

/// The end of a list of values.
const NONE: u32 = u32::MAX;

/// A value of a group.
#[derive(Debug, Clone, Copy)]
struct Member {
    weight: i64,
    /// The neighbours in the list of the group's values.
    previous: u32,
    next: u32,
    linked: bool,
}

const STRANGER: Member = Member { weight: 0, previous: NONE, next: NONE, linked: false };

/// Wraps `inner` (retractable if this is) for calls with DISTINCT.
pub(crate) struct Distinct {
    inner: Box<dyn Accumulator>,
    /// NULL is a value.
    takes_nulls: bool,
    values: Option<KeyTable>,
    /// By id of the value.
    members: Vec<Member>,
    /// The first value of each group.
    heads: Vec<u32>,
    ids: Vec<u32>,
}

impl Distinct {
    pub(crate) fn new(inner: Box<dyn Accumulator>, takes_nulls: bool) -> Self {
        Self {
            inner,
            takes_nulls,
            values: None,
            members: Vec::new(),
            heads: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// The group and the arguments of the rows that count, and their weights.
    fn select(
        &self,
        args: &[ArrayRef],
        groups: &[u32],
        row_filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<(Vec<ArrayRef>, Option<Vec<i64>>)> {
        let group_column: ArrayRef = Arc::new(UInt32Array::from(groups.to_vec()));
        let columns = std::iter::once(group_column).chain(args.iter().cloned());
        let counted = if self.takes_nulls { &[] } else { args };
        let Some(mask) = selection(counted, row_filter) else {
            return Ok((columns.collect(), weights.map(<[i64]>::to_vec)));
        };
        let weights = weights.map(|w| mask.set_indices().map(|row| w[row]).collect());
        let mask = BooleanArray::new(mask, None);
        Ok((columns.map(|c| filter(&c, &mask)).collect::<Result<_, _>>()?, weights))
    }

    fn link(&mut self, group: usize, id: u32) {
        let next = std::mem::replace(&mut self.heads[group], id);
        if next != NONE {
            self.members[next as usize].previous = id;
        }
        let member = &mut self.members[id as usize];
        (member.previous, member.next, member.linked) = (NONE, next, true);
    }

    /// Releases the values whose weight came to 0 and stayed there.
    fn forget(&mut self, gone: &[(usize, u32)]) {
        let mut released = Vec::new();
        for &(group, id) in gone {
            let member = self.members[id as usize];
            if member.weight != 0 || !member.linked {
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
        if self.heads.len() < group_count {
            self.heads.resize(group_count, NONE);
        }
        let (columns, row_weights) = self.select(args, groups, row_filter, weights)?;
        let rows = columns[0].len();
        let mut ids = std::mem::take(&mut self.ids);
        let table = match &mut self.values {
            Some(table) => table,
            none => {
                let types: Vec<_> = columns.iter().map(|c| c.data_type().clone()).collect();
                none.insert(KeyTable::new(&types)?)
            }
        };
        table.intern(&columns, rows, &mut ids)?;
        if self.members.len() < table.bound() {
            self.members.resize(table.bound(), STRANGER);
        }
        let row_groups = columns[0].as_primitive::<UInt32Type>().values().clone();
        let (mut changes, mut gone) = (Vec::new(), Vec::new());
        let passes = BooleanBuffer::collect_bool(rows, |row| {
            let (id, group) = (ids[row], row_groups[row] as usize);
            let member = &mut self.members[id as usize];
            let before = member.weight;
            member.weight += row_weights.as_ref().map_or(1, |w| w[row]);
            let change = i64::from(member.weight > 0) - i64::from(before > 0);
            if member.weight == 0 {
                gone.push((group, id));
            }
            if !member.linked {
                self.link(group, id);
            }
            if change != 0 {
                changes.push(change);
            }
            change != 0
        });
        if !changes.is_empty() {
            let passes = BooleanArray::new(passes, None);
            let columns: Vec<ArrayRef> =
                columns.iter().map(|c| filter(c, &passes)).collect::<Result<_, _>>()?;
            let groups = columns[0].as_primitive::<UInt32Type>().values();
            let changes = weights.is_some().then_some(&changes[..]);
            self.inner.update(&columns[1..], groups, group_count, None, changes)?;
        }
        self.forget(&gone);
        self.ids = ids;
        Ok(())
    }

    fn absorb(&mut self, from: &[u32], to: &[u32], group_count: usize) -> Result<()> {
        let (mut ids, mut groups, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (&from, &to) in from.iter().zip(to) {
            let mut id = self.heads.get(from as usize).copied().unwrap_or(NONE);
            let first = ids.len();
            while id != NONE {
                let Member { weight, next, .. } = self.members[id as usize];
                ids.push(id);
                groups.push(to);
                weights.push(weight);
                id = next;
            }
            // The list has the latest value first.
            ids[first..].reverse();
            weights[first..].reverse();
        }
        let args = match &self.values {
            Some(values) if !ids.is_empty() => values.emit(&ids)?.split_off(1),
            _ => return Ok(()),
        };
        self.clear(from);
        self.update(&args, &groups, group_count, None, Some(&weights))
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        self.inner.finish(groups)
    }

    fn clear(&mut self, groups: &[u32]) {
        self.inner.clear(groups);
        let mut released = Vec::new();
        for &group in groups {
            let Some(head) = self.heads.get_mut(group as usize) else { continue };
            let mut id = std::mem::replace(head, NONE);
            while id != NONE {
                released.push(id);
                id = std::mem::replace(&mut self.members[id as usize], STRANGER).next;
            }
        }
        if let Some(values) = &mut self.values {
            values.release(&released);
        }
    }

    fn size_bytes(&self) -> usize {
        self.inner.size_bytes()
            + self.values.as_ref().map_or(0, KeyTable::size_bytes)
            + self.members.capacity() * size_of::<Member>()
            + self.heads.capacity() * 4
    }
}
