//! The state of ranking: of each partition, the rows that are ranked or may still be, in order.
//! Invariant: append-only partitions hold only rows whose rank is at most the last one wanted; others hold all rows.
//! Rows that are equal in the order stand in the order in which they came (the other way round with `latest_first`).

use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::RankPlan;
use super::order::{Encoded, Entry, Prefix, SortKeys};
use super::ordered::{List, Lists};
use super::store::Store;
use crate::columns::{integers, nulls};
use crate::operator::PutAside;
use crate::ops::by_key::{ByKey, Keys};
use crate::ops::saved::{apart, as_uint64s, beside, uint64s};
use crate::rank::{RankEnd, RankFunction};

/// So many entries are looked at for each row that came, to find those that died in their batch.
const LOOKED_AT_MAX: usize = 8;

/// The tables of their state: rows with their arrivals, and the last ranks that are wanted where they are a column.
pub(super) const ROWS: &str = "rows";
const ENDS: &str = "ends";

/// Sees what happens to partitions.
pub(super) trait Watch {
    /// A partition is about to change.
    fn before(&mut self, _partition: u32, _partitions: &Partitions) {}
    /// A row was inserted at a position (from 0).
    fn inserted(&mut self, _partition: u32, _at: usize, _entry: Entry, _partitions: &Partitions) {}
    /// Rows from `first` on have the new numbers `numbers`; what is `DEAD` died in its batch.
    fn renumbered(&mut self, _first: u32, _numbers: &[u32]) {}
    /// A row was removed from a position.
    fn removed(&mut self, _partition: u32, _at: usize, _entry: Entry, _partitions: &Partitions) {}
}

/// Nobody needs to know how partitions came about.
pub(super) struct Unwatched;

impl Watch for Unwatched {}

#[derive(Debug)]
pub(super) struct Partitions {
    columns: Vec<usize>,
    function: RankFunction,
    pub(super) from: usize,
    to: RankEnd,
    latest_first: bool,
    pub(super) table: Keys,
    /// By partition.
    lists: Vec<List>,
    /// By partition, the last rank that is wanted; empty if it is a constant.
    ends: Vec<usize>,
    /// By partition, how many different sort keys there are; for DENSE_RANK over append-only input.
    distinct: Vec<u32>,
    memory: Lists,
    keys: SortKeys,
    pub(super) store: Store,
    arrivals: u64,
    /// Partitions that lost a row in this step.
    shrunk: Vec<u32>,
    early: Early,
}

/// What the last cut has of partitions that changed in this step.
#[derive(Debug, Default)]
struct Early {
    /// Rows and arrivals, in the order in which they are saved.
    held: Vec<(u32, u64)>,
    /// The last ranks that are wanted.
    ends: Vec<(u32, usize)>,
}

/// A batch of changes: by row, its partition, its number and its sort key.
pub(super) struct Prepared {
    partitions: Vec<u32>,
    rows: Vec<u32>,
    encoded: Encoded,
}

impl Partitions {
    pub(super) fn new(plan: &RankPlan) -> Result<Self> {
        let types: Vec<ArrowType> = plan.partition.iter().map(|&i| plan.input[i].clone()).collect();
        Ok(Self {
            columns: plan.partition.clone(),
            function: plan.function,
            from: plan.first_rank(),
            to: plan.to,
            latest_first: plan.latest_first,
            table: Keys::new(&types)?,
            lists: Vec::new(),
            ends: Vec::new(),
            distinct: Vec::new(),
            memory: Lists::default(),
            keys: SortKeys::new(&plan.order, &plan.input)?,
            store: Store::new(&plan.input, plan.changelog)?,
            arrivals: 0,
            shrunk: Vec::new(),
            early: Early::default(),
        })
    }

    /// The partition of each row.
    pub(super) fn intern(&mut self, batch: &Batch, out: &mut Vec<u32>) -> Result<()> {
        self.intern_keys(&batch.project(&self.columns), out)?;
        self.table.note(out);
        if let RankEnd::Column(column) = self.to {
            let column = batch.column(column);
            let (values, nulls) = (integers(column)?, nulls(column));
            for (row, &partition) in out.iter().enumerate().rev() {
                // The row that a partition begins with says how many are wanted.
                if self.lists[partition as usize].len() == 0 {
                    let known = !nulls.is_some_and(|n| n.is_null(row));
                    let end = if known { usize::try_from(values[row]).unwrap_or(0) } else { 0 };
                    self.ends[partition as usize] = end;
                }
            }
        }
        Ok(())
    }

    /// The partition of each key.
    pub(super) fn intern_keys(&mut self, keys: &Batch, out: &mut Vec<u32>) -> Result<()> {
        self.table.intern(keys.columns(), keys.rows(), out)?;
        let bound = self.table.bound();
        self.lists.resize(self.lists.len().max(bound), List::default());
        if self.function == RankFunction::DenseRank {
            self.distinct.resize(self.distinct.len().max(bound), 0);
        }
        if let RankEnd::Column(_) = self.to {
            self.ends.resize(self.ends.len().max(bound), 0);
        }
        Ok(())
    }

    /// The columns of rows that are their partition's key.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The last rank that is wanted of a partition.
    pub(super) fn end(&self, partition: u32) -> usize {
        match self.to {
            RankEnd::Constant(end) => usize::try_from(end).unwrap_or(usize::MAX),
            RankEnd::Column(_) => self.ends[partition as usize],
        }
    }

    pub(super) fn len(&self, partition: u32) -> usize {
        self.lists[partition as usize].len()
    }

    pub(super) fn get(&self, partition: u32, at: usize) -> Option<Entry> {
        self.memory.get(&self.lists[partition as usize], at)
    }

    fn arrival(&mut self) -> u64 {
        self.arrivals += 1;
        if self.latest_first { u64::MAX - self.arrivals } else { self.arrivals }
    }

    /// Ranks the rows of an append-only batch; `partitions` is the partition of each.
    pub(super) fn append(
        &mut self,
        batch: &Batch,
        partitions: &[u32],
        watch: &mut impl Watch,
    ) -> Result<()> {
        let encoded = self.keys.encode(batch)?;
        let mut changed = Vec::new();
        for (row, &partition) in partitions.iter().enumerate() {
            if !self.admits(partition, &encoded, row) {
                continue;
            }
            watch.before(partition, self);
            if changed.last() != Some(&partition) {
                changed.push(partition);
            }
            let arrival = self.arrival();
            let Store::Appended(store) = &mut self.store else { continue };
            let number = store.next();
            store.keep(row);
            self.keys.keep(number, &encoded, row);
            let entry = Entry::new(encoded.prefixes[row], arrival, number);
            self.insert(partition, entry, watch);
            self.trim(partition);
        }
        self.forget_dead(changed, watch);
        if let Store::Appended(store) = &mut self.store {
            store.end_batch(batch)?;
        }
        Ok(())
    }

    /// Forgets rows that died in the batch they came in before they are copied, if there are many.
    fn forget_dead(&mut self, mut changed: Vec<u32>, watch: &mut impl Watch) {
        let Store::Appended(store) = &mut self.store else { return };
        let Some(fresh) = store.mostly_dead() else { return };
        changed.sort_unstable();
        changed.dedup();
        let lists = &self.lists;
        let entries: usize = changed.iter().map(|&partition| lists[partition as usize].len()).sum();
        if entries > LOOKED_AT_MAX * fresh {
            return;
        }
        let (first, numbers) = store.forget_dead();
        for &partition in &changed {
            self.memory.change_all(&self.lists[partition as usize], &mut |entry| {
                if let Some(place) = entry.row().checked_sub(first) {
                    entry.set_row(numbers[place as usize]);
                }
            });
        }
        self.keys.renumber_from(first, &numbers);
        watch.renumbered(first, &numbers);
    }

    /// True if a new row of append-only input has a rank that is wanted.
    #[inline]
    fn admits(&self, partition: u32, encoded: &Encoded, row: usize) -> bool {
        let (end, length) = (self.end(partition), self.len(partition));
        let full = match self.function {
            RankFunction::DenseRank => self.distinct[partition as usize] as usize >= end,
            _ => length >= end,
        };
        if !full {
            return true;
        }
        // For RANK, rows behind position `end` are equal to the one there.
        let Some(last) = self.get(partition, length.wrapping_sub(1)) else { return false };
        let order = self.keys.compare_new(encoded, row, &last);
        match self.function {
            RankFunction::RowNumber if self.latest_first => order.is_le(),
            RankFunction::RowNumber => order.is_lt(),
            RankFunction::Rank | RankFunction::DenseRank => order.is_le(),
        }
    }

    /// A partition is about to change: what the last cut has of it is written down.
    #[inline]
    fn touch(&mut self, partition: u32) {
        if self.table.touch_one(partition) && self.len(partition) > 0 {
            let held = self.store.in_order(self.held(&[partition]));
            self.early.held.extend(held);
            self.early.ends.push((partition, self.end(partition)));
        }
    }

    fn insert(&mut self, partition: u32, entry: Entry, watch: &mut impl Watch) {
        self.touch(partition);
        self.put(partition, entry, watch);
    }

    fn put(&mut self, partition: u32, entry: Entry, watch: &mut impl Watch) {
        let keys = &self.keys;
        let list = &mut self.lists[partition as usize];
        let at = self.memory.insert(list, entry, &|a, b| keys.compare(a, b));
        if self.function == RankFunction::DenseRank {
            let equal = |other: Option<Entry>| {
                other.is_some_and(|other| self.keys.compare_keys(&other, &entry).is_eq())
            };
            let list = &self.lists[partition as usize];
            let next = self.memory.get(list, at + 1);
            let previous = at.checked_sub(1).and_then(|at| self.memory.get(list, at));
            self.distinct[partition as usize] += u32::from(!equal(next) && !equal(previous));
        }
        watch.inserted(partition, at, entry, self);
    }

    /// Removes the rows of an append-only partition whose rank is no longer wanted.
    fn trim(&mut self, partition: u32) {
        let end = self.end(partition);
        while self.len(partition) > end {
            let length = self.len(partition);
            let from = match self.function {
                RankFunction::RowNumber => end,
                RankFunction::Rank => match self.last_group(partition) {
                    group if group >= end => group,
                    _ => return,
                },
                RankFunction::DenseRank if self.distinct[partition as usize] as usize > end => {
                    self.distinct[partition as usize] -= 1;
                    self.last_group(partition)
                }
                RankFunction::DenseRank => return,
            };
            for at in (from..length).rev() {
                let entry = self.memory.remove(&mut self.lists[partition as usize], at);
                self.keys.forget(entry.row());
                if let Store::Appended(store) = &mut self.store {
                    store.drop_row(entry.row());
                }
            }
        }
    }

    /// The position of the first row that is equal to the last one.
    fn last_group(&self, partition: u32) -> usize {
        let list = &self.lists[partition as usize];
        match self.memory.get(list, list.len().wrapping_sub(1)) {
            Some(last) => {
                let compare = |a: &Entry, b: &Entry| self.keys.compare(a, b);
                self.memory.find(list, &last.first_of_key(), &compare)
            }
            None => 0,
        }
    }

    /// What is to be known of a batch of changes before its rows are ranked.
    pub(super) fn prepare(&mut self, batch: &Batch) -> Result<Prepared> {
        let (mut partitions, mut rows) = (Vec::new(), Vec::new());
        self.intern(batch, &mut partitions)?;
        if let Store::Interned(store) = &mut self.store {
            store.intern(batch, &mut rows)?;
        }
        Ok(Prepared { partitions, rows, encoded: self.keys.encode(batch)? })
    }

    /// Ranks the rows of a batch that come (`removals` false), or takes back those that go. All rows of a step that
    /// come are to be ranked before any is taken back. What was never there cannot be taken back and is left out, as
    /// in Flink.
    pub(super) fn change(
        &mut self,
        batch: &Batch,
        prepared: &Prepared,
        removals: bool,
        watch: &mut impl Watch,
    ) {
        for at in 0..batch.rows() {
            let weight = batch.weight(at);
            if weight == 0 || (weight < 0) != removals {
                continue;
            }
            let (partition, row) = (prepared.partitions[at], prepared.rows[at]);
            watch.before(partition, self);
            for _ in 0..weight.unsigned_abs() {
                if removals {
                    self.take_back(partition, row, prepared.encoded.prefixes[at], watch);
                    continue;
                }
                let arrival = self.arrival();
                let Store::Interned(store) = &mut self.store else { continue };
                store.add(row, arrival);
                self.keys.keep(row, &prepared.encoded, at);
                let entry = Entry::new(prepared.encoded.prefixes[at], arrival, row);
                self.insert(partition, entry, watch);
            }
        }
    }

    fn take_back(&mut self, partition: u32, row: u32, prefix: Prefix, watch: &mut impl Watch) {
        self.touch(partition);
        let Store::Interned(store) = &mut self.store else { return };
        let removed = store.remove(row);
        self.shrunk.push(partition);
        let Some(arrival) = removed else { return };
        let entry = Entry::new(prefix, arrival, row);
        let (keys, list) = (&self.keys, &mut self.lists[partition as usize]);
        let position = self.memory.find(list, &entry, &|a, b| keys.compare(a, b));
        let entry = self.memory.remove(list, position);
        watch.removed(partition, position, entry, self);
    }

    /// The rows of a partition whose rank is wanted, with their ranks, in order.
    pub(super) fn ranked(&self, partition: u32, see: &mut impl FnMut(u32, usize)) {
        let (from, end) = (self.from, self.end(partition));
        let list = &self.lists[partition as usize];
        if self.function == RankFunction::RowNumber {
            let mut rank = from;
            self.memory.visit(list, from - 1..end, &mut |entry| {
                see(entry.row(), rank);
                rank += 1;
                true
            });
            return;
        }
        let dense = self.function == RankFunction::DenseRank;
        let (mut position, mut rank) = (0, 0);
        let mut previous: Option<Entry> = None;
        self.memory.visit(list, 0..usize::MAX, &mut |entry| {
            let equal = previous.is_some_and(|p| self.keys.compare_keys(&p, &entry).is_eq());
            if !equal {
                rank = if dense { rank + 1 } else { position + 1 };
            }
            position += 1;
            previous = Some(entry);
            if rank >= from && rank <= end {
                see(entry.row(), rank);
            }
            rank <= end
        });
    }

    /// Forgets all rows of partitions, and the partitions.
    pub(super) fn forget(&mut self, partitions: &[u32]) -> Result<()> {
        partitions.iter().for_each(|&partition| self.touch(partition));
        self.keep_early()?;
        self.empty(partitions);
        self.table.release(partitions)
    }

    /// Has the places of partitions empty; their rows die in this step.
    fn empty(&mut self, partitions: &[u32]) {
        for &partition in partitions {
            let held = self.held(&[partition]);
            self.memory.clear(&mut self.lists[partition as usize]);
            for (row, _) in held {
                match &mut self.store {
                    Store::Appended(store) => {
                        self.keys.forget(row);
                        store.drop_row(row);
                    }
                    Store::Interned(store) => drop(store.remove(row)),
                }
            }
            if let Some(distinct) = self.distinct.get_mut(partition as usize) {
                *distinct = 0;
            }
        }
    }

    /// Forgets partitions without rows, which were touched in this step.
    fn release(&mut self, partitions: &[u32]) -> Result<()> {
        self.keep_early()?;
        self.table.release(partitions)
    }

    /// What was written down becomes columns, while its rows are there.
    fn keep_early(&mut self) -> Result<()> {
        let Early { held, ends } = std::mem::take(&mut self.early);
        if !held.is_empty() {
            let partitions: Vec<u32> = ends.iter().map(|&(partition, _)| partition).collect();
            let changes = self.replaced(&self.names(&partitions)?, self.tables(held, &ends)?);
            self.table.keep_early(changes);
        }
        Ok(())
    }

    /// The rows of partitions, with their arrivals.
    fn held(&self, partitions: &[u32]) -> Vec<(u32, u64)> {
        let mut held = Vec::new();
        for &partition in partitions {
            self.memory.visit(&self.lists[partition as usize], 0..usize::MAX, &mut |entry| {
                held.push((entry.row(), entry.arrival()));
                true
            });
        }
        held
    }

    /// Both tables.
    fn tables(&self, held: Vec<(u32, u64)>, ends: &[(u32, usize)]) -> Result<Vec<TableRows>> {
        let rows = TableShape::keyed(ROWS, self.columns.clone());
        let mut tables = vec![rows.with_rows(self.store.save(held)?)];
        if let RankEnd::Column(_) = self.to {
            let partitions: Vec<u32> = ends.iter().map(|&(partition, _)| partition).collect();
            let ends = uint64s(ends.iter().map(|&(_, end)| end as u64));
            let rows = beside(self.names(&partitions)?, [ends]);
            let shape = TableShape::keyed(ENDS, (0..self.columns.len()).collect());
            tables.push(shape.with_rows(vec![rows]));
        }
        Ok(tables)
    }

    /// Ends a step: frees what died in it. Row numbers may change.
    pub(super) fn end_step(&mut self) -> Result<()> {
        let mut empty = std::mem::take(&mut self.shrunk);
        empty.sort_unstable();
        empty.dedup();
        empty.retain(|&partition| self.len(partition) == 0);
        self.release(&empty)?;
        self.free_dead()
    }

    /// Frees rows that died. Row numbers may change.
    fn free_dead(&mut self) -> Result<()> {
        match &mut self.store {
            Store::Interned(store) => {
                store.end_step().into_iter().for_each(|row| self.keys.forget(row));
            }
            Store::Appended(store) => {
                if store.end_step() {
                    self.rewrite()?;
                }
            }
        }
        Ok(())
    }

    /// Copies the live rows of append-only input, and gives them new numbers.
    fn rewrite(&mut self) -> Result<()> {
        let mut live = Vec::new();
        for list in &self.lists {
            self.memory.change_all(list, &mut |entry| {
                live.push(entry.row());
                entry.set_row(live.len() as u32 - 1);
            });
        }
        self.keys.renumber(&live);
        match &mut self.store {
            Store::Appended(store) => store.rewrite(&live),
            Store::Interned(_) => Ok(()),
        }
    }

    /// Takes rows of a table; partitions that are aside come back.
    pub(super) fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.bring_back_of(table, rows)?;
        if rows.is_empty() {
            return Ok(());
        }
        let (own, more) = apart(rows, rows.columns().len() - 1);
        let numbers = as_uint64s(&more[0]);
        let mut partitions = Vec::new();
        if table == ENDS {
            self.intern_keys(&own, &mut partitions)?;
            for (&partition, &end) in partitions.iter().zip(numbers) {
                self.ends[partition as usize] = usize::try_from(end).unwrap_or(usize::MAX);
            }
            return Ok(());
        }
        self.intern_keys(&own.project(&self.columns), &mut partitions)?;
        self.load_rows(&own, &partitions, numbers)
    }

    fn load_rows(&mut self, batch: &Batch, partitions: &[u32], arrivals: &[u64]) -> Result<()> {
        let encoded = self.keys.encode(batch)?;
        let mut interned = Vec::new();
        if let Store::Interned(store) = &mut self.store {
            store.intern(batch, &mut interned)?;
        }
        for (row, (&partition, &arrival)) in partitions.iter().zip(arrivals).enumerate() {
            let number = match &mut self.store {
                Store::Interned(store) => {
                    store.add(interned[row], arrival);
                    interned[row]
                }
                Store::Appended(store) => {
                    store.keep(row);
                    store.next() - 1
                }
            };
            self.keys.keep(number, &encoded, row);
            let entry = Entry::new(encoded.prefixes[row], arrival, number);
            self.put(partition, entry, &mut Unwatched);
            let came = if self.latest_first { u64::MAX - arrival } else { arrival };
            self.arrivals = self.arrivals.max(came);
        }
        if let Store::Appended(store) = &mut self.store {
            store.end_batch(batch)?;
        }
        Ok(())
    }

    /// Brings back the partitions of rows that a step is going to rank.
    pub(super) fn bring_back_for(&mut self, batches: &[Batch]) -> Result<()> {
        batches.iter().try_for_each(|batch| self.bring_back(&batch.project(&self.columns)))
    }

    /// Puts partitions aside that were not used for longest.
    pub(super) fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.store.put_aside(wanted)?;
        self.put_keys_aside(wanted)
    }

    pub(super) fn state_rows(&self) -> usize {
        self.store.len() + self.table.rows_aside()
    }

    pub(super) fn state_bytes(&self) -> usize {
        self.table.size_bytes() + self.key_bytes()
    }
}

impl ByKey for Partitions {
    fn keys(&self) -> &Keys {
        &self.table
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.table
    }

    fn tables_of(&self, partitions: &[u32]) -> Result<Vec<TableRows>> {
        let partitions = partitions.iter().copied().filter(|&partition| self.len(partition) > 0);
        let partitions: Vec<u32> = partitions.collect();
        let ends: Vec<_> = partitions.iter().map(|&p| (p, self.end(p))).collect();
        self.tables(self.store.in_order(self.held(&partitions)), &ends)
    }

    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()> {
        self.load(table, rows)
    }

    fn key_bytes(&self) -> usize {
        self.store.size_bytes()
            + self.memory.size_bytes()
            + self.keys.size_bytes()
            + self.lists.capacity() * size_of::<List>()
            + self.ends.capacity() * 8
            + self.distinct.capacity() * 4
    }

    fn key_rows(&self, partition: u32) -> usize {
        self.len(partition)
    }

    fn clear_keys(&mut self, partitions: &[u32]) -> Result<()> {
        self.empty(partitions);
        self.free_dead()
    }
}
