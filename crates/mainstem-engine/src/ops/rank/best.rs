//! The first row of each partition of append-only input, as a changelog: top-1, and deduplication by event time.
//! Invariant: one row a partition is kept, for ever or until nobody has won for its time to live. Only what is first at the end of a batch is copied; a step puts
//! out, per partition, what was first before it (-1) and what is first after it (+1), if they differ.

use arrow_buffer::ScalarBuffer;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableChange, TableRows, TableShape};

use super::super::idle::Idle;
use super::super::tracker::Tracker;
use super::RankPlan;
use super::order::{Encoded, Entry, SortKeys};
use super::store::{Appended, Store};
use super::top::rank_column;
use crate::key_table::KeyTable;
use crate::operator::{Inputs, Operator, PutAside, StepContext};
use crate::ops::saved::{apart, as_int64s, beside, cut_of, int64s, replaced};

/// The partition has no row yet.
const NO_ROW: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Best {
    columns: Vec<usize>,
    table: KeyTable,
    keys: SortKeys,
    latest_first: bool,
    with_rank: bool,
    upserts: bool,
    /// By partition: its first row, whose number is [`NO_ROW`] if there is none.
    best: Vec<Entry>,
    rows: Store,
    ids: Vec<u32>,
    /// Scratch, by partition: the row of the batch at hand that is first now, plus one.
    won: Vec<u32>,
    /// Scratch, by partition: its place among those that changed in this step, plus one.
    places: Vec<u32>,
    /// With a time to live: which partitions have outlived it.
    idle: Option<Idle>,
    /// For checkpoints: which partitions have changed; and rows of the last cut that went since.
    tracker: Tracker,
    early: Vec<Batch>,
}

/// A partition whose first row changed, and the row before the step.
struct Changed {
    partition: u32,
    before: u32,
}

impl Best {
    pub(super) fn new(plan: &RankPlan) -> Result<Self> {
        let types: Vec<_> = plan.partition.iter().map(|&i| plan.input[i].clone()).collect();
        Ok(Self {
            columns: plan.partition.clone(),
            table: KeyTable::new(&types)?,
            keys: SortKeys::new(&plan.order, &plan.input)?,
            latest_first: plan.latest_first,
            with_rank: plan.with_rank,
            upserts: plan.upserts,
            best: Vec::new(),
            rows: Store::new(&plan.input, false)?,
            ids: Vec::new(),
            won: Vec::new(),
            places: Vec::new(),
            idle: plan.ttl_ms.map(Idle::new),
            tracker: Tracker::default(),
            early: Vec::new(),
        })
    }

    /// Forgets the partitions whose first row nobody has replaced for its time to live.
    fn expire(&mut self, now_ms: i64) -> Result<()> {
        let Some(idle) = &mut self.idle else { return Ok(()) };
        let expired = idle.expired(now_ms);
        self.touch(&expired)?;
        for &partition in &expired {
            let entry = &mut self.best[partition as usize];
            let row = entry.row();
            entry.set_row(NO_ROW);
            self.keys.forget(row);
            self.appended().drop_row(row);
        }
        self.tracker.release(&mut self.table, &expired)
    }

    /// Partitions are about to change: what the last cut has of them is put aside.
    fn touch(&mut self, partitions: &[u32]) -> Result<()> {
        let left = self.tracker.touch(partitions.iter().copied());
        let rows = self.saved(left.into_iter())?;
        self.early.extend(rows);
        Ok(())
    }

    /// The first row of each of `partitions` that has one, and when it won.
    fn saved(&self, partitions: impl Iterator<Item = u32>) -> Result<Vec<Batch>> {
        let Store::Appended(store) = &self.rows else { return Ok(Vec::new()) };
        let rows = partitions.map(|id| (self.best[id as usize].row(), id));
        let mut held: Vec<(u32, u32)> = rows.filter(|&(row, _)| row != NO_ROW).collect();
        held.sort_unstable();
        let mut batches = Vec::new();
        for (first, batch) in store.batches(held.iter().map(|&(row, _)| row))? {
            let of_batch = held[first..first + batch.rows()].iter();
            let written = of_batch.map(|&(_, id)| self.idle.as_ref()?.written_ms(id));
            batches.push(beside(batch, [int64s(written)]));
        }
        Ok(batches)
    }

    fn shape(&self) -> TableShape {
        TableShape::keyed("rows", self.columns.clone())
    }

    fn appended(&mut self) -> &mut Appended {
        match &mut self.rows {
            Store::Appended(rows) => rows,
            Store::Interned(_) => unreachable!("made for append-only input"),
        }
    }

    /// The partition of each row of `keys`, in `ids`.
    fn intern(&mut self, keys: &Batch) -> Result<()> {
        self.table.intern(keys.columns(), keys.rows(), &mut self.ids)?;
        let bound = self.table.bound();
        let mut absent = Entry::FILLER;
        absent.set_row(NO_ROW);
        self.best.resize(self.best.len().max(bound), absent);
        self.won.resize(self.won.len().max(bound), 0);
        self.places.resize(self.places.len().max(bound), 0);
        Ok(())
    }

    /// Returns the rows that are first now; `changed` has their partitions in the same order behind `from`.
    fn absorb(
        &mut self,
        batch: &Batch,
        now_ms: i64,
        changed: &mut Vec<Changed>,
    ) -> Result<Option<Batch>> {
        let keys = batch.project(&self.columns);
        self.intern(&keys)?;
        let encoded = self.keys.encode(batch)?;
        let mut winners = Vec::new();
        for row in 0..self.ids.len() {
            let partition = self.ids[row] as usize;
            if self.is_better(&encoded, row, partition) {
                if self.won[partition] == 0 {
                    winners.push(partition as u32);
                }
                self.won[partition] = row as u32 + 1;
            }
        }
        self.touch(&winners)?;
        for &partition in &winners {
            if let Some(idle) = &mut self.idle {
                idle.write(partition, now_ms);
            }
            let at = partition as usize;
            let row = std::mem::take(&mut self.won[at]) as usize - 1;
            let old = self.best[at].row();
            if old != NO_ROW {
                self.keys.forget(old);
                self.appended().drop_row(old);
            }
            if self.places[at] == 0 {
                changed.push(Changed { partition, before: old });
                self.places[at] = changed.len() as u32;
            }
            let store = self.appended();
            let number = store.next();
            store.keep(row);
            self.keys.keep(number, &encoded, row);
            self.best[at] = Entry::new(encoded.prefixes[row], 0, number);
        }
        self.appended().end_batch(batch)
    }

    #[inline]
    fn is_better(&self, encoded: &Encoded, row: usize, partition: usize) -> bool {
        let order = match self.won[partition] {
            0 if self.best[partition].row() == NO_ROW => return true,
            0 => self.keys.compare_new(encoded, row, &self.best[partition]),
            won => encoded.compare(row, won as usize - 1),
        };
        order.is_lt() || (self.latest_first && order.is_eq())
    }

    fn with_rank(&self, batch: Batch) -> Batch {
        if !self.with_rank {
            return batch;
        }
        let (rows, weights) = (batch.rows(), batch.weights().cloned());
        let mut columns = batch.into_columns();
        columns.push(rank_column(std::iter::repeat_n(1, rows)));
        Batch::with_weights(columns, rows, weights)
    }

    fn end_step(&mut self) -> Result<()> {
        if !self.appended().end_step() {
            return Ok(());
        }
        let mut live = Vec::new();
        for entry in self.best.iter_mut().filter(|entry| entry.row() != NO_ROW) {
            live.push(entry.row());
            entry.set_row(live.len() as u32 - 1);
        }
        self.keys.renumber(&live);
        self.appended().rewrite(&live)
    }
}

impl Operator for Best {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        self.expire(cx.now_ms)?;
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        let (mut changed, mut fresh, mut count) = (Vec::new(), None, 0);
        for batch in batches.filter(|batch| !batch.is_empty()) {
            fresh = self.absorb(&batch, cx.now_ms, &mut changed)?;
            count += 1;
        }
        let mut old: Vec<u32> = Vec::new();
        if !self.upserts {
            // Each has a row that comes for it.
            old.extend(changed.iter().map(|c| c.before).filter(|&row| row != NO_ROW));
        }
        let mut output = Vec::new();
        if !old.is_empty() {
            let weights: ScalarBuffer<i64> = vec![-1; old.len()].into();
            let before = Batch::with_weights(self.rows.gather(&old)?, old.len(), Some(weights));
            output.push(self.with_rank(before));
        }
        let after = match fresh {
            // The rows of the only batch that were first at its end.
            Some(fresh) if count == 1 => Some(fresh),
            _ if changed.is_empty() => None,
            _ => {
                let row = |c: &Changed| self.best[c.partition as usize].row();
                let rows: Vec<u32> = changed.iter().map(row).collect();
                Some(Batch::new(self.rows.gather(&rows)?, rows.len()))
            }
        };
        output.extend(after.map(|after| self.with_rank(after)));
        for change in &changed {
            self.places[change.partition as usize] = 0;
        }
        self.end_step()?;
        Ok(output)
    }

    /// `rows`: the first row of each partition, and when it won.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let rows = self.saved(0..self.best.len() as u32)?;
        Ok(Some(vec![self.shape().with_rows(rows)]))
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        let removed = self.tracker.cut_table(whole, &self.table);
        Ok(Some(cut_of(self.shape(), &self.columns, whole, removed)))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        let mut batches = std::mem::take(&mut self.early);
        let partitions = self.tracker.next(rows);
        batches.extend(self.saved(partitions.into_iter())?);
        Ok(replaced(self.shape(), &self.columns, batches))
    }

    fn load(&mut self, _table: &str, rows: &Batch) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let (batch, more) = apart(rows, rows.columns().len() - 1);
        self.intern(&batch.project(&self.columns))?;
        let encoded = self.keys.encode(&batch)?;
        for (row, written) in as_int64s(&more[0]).enumerate() {
            let partition = self.ids[row];
            let store = self.appended();
            let number = store.next();
            store.keep(row);
            self.keys.keep(number, &encoded, row);
            self.best[partition as usize] = Entry::new(encoded.prefixes[row], 0, number);
            if let (Some(idle), Some(written_ms)) = (&mut self.idle, written) {
                idle.write(partition, written_ms);
            }
        }
        self.appended().end_batch(&batch)?;
        Ok(())
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.rows.put_aside(wanted)
    }

    fn state_rows(&self) -> usize {
        self.table.len()
    }

    fn state_bytes(&self) -> usize {
        self.table.size_bytes()
            + self.rows.size_bytes()
            + self.keys.size_bytes()
            + self.best.capacity() * size_of::<Entry>()
            + (self.won.capacity() + self.places.capacity()) * 4
            + self.idle.as_ref().map_or(0, Idle::size_bytes)
    }
}
