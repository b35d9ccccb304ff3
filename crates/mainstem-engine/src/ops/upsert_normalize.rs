//! Upserts by key to a true changelog.
//! Invariant: after each step the rows that came out, added up, are the last row of each key. Within a step only the
//! last word on a key counts. With a time to live a key that nobody writes for so long is forgotten; what was emitted of it
//! stays.

use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableChange, TableRows, TableShape};

use super::idle::Idle;
use super::rows::Rows;
use super::saved::{apart, as_int64s, beside, cut_of, int64s, replaced};
use super::tracker::Tracker;
use crate::key_table::KeyTable;
use crate::operator::{Inputs, Operator, PutAside, StepContext};

/// Keeps the current row of each key.
#[derive(Debug)]
pub(crate) struct UpsertNormalize {
    key_columns: Vec<usize>,
    keys: KeyTable,
    /// The row of each key, by key id.
    current: Vec<Option<u32>>,
    rows: Rows,
    /// Scratch: the last row of this step for each key, plus one.
    last: Vec<u32>,
    /// With a time to live: which keys have outlived it.
    idle: Option<Idle>,
    /// For checkpoints: which keys have changed; and rows of the last cut that went since.
    tracker: Tracker,
    early: Vec<Batch>,
}

impl UpsertNormalize {
    pub(crate) fn new(key: &[usize], types: &[ArrowType], ttl_ms: Option<i64>) -> Result<Self> {
        let key_types: Vec<_> = key.iter().map(|&i| types[i].clone()).collect();
        Ok(Self {
            key_columns: key.to_vec(),
            keys: KeyTable::new(&key_types)?,
            current: Vec::new(),
            rows: Rows::new(types),
            last: Vec::new(),
            idle: ttl_ms.map(Idle::new),
            tracker: Tracker::default(),
            early: Vec::new(),
        })
    }

    /// Forgets the keys that nobody has written for their time to live.
    fn expire(&mut self, now_ms: i64) -> Result<()> {
        let Some(idle) = &mut self.idle else { return Ok(()) };
        let expired = idle.expired(now_ms);
        self.touch(&expired)?;
        let rows = expired.iter().filter_map(|&id| self.current[id as usize].take()).count();
        self.rows.release(rows);
        self.tracker.release(&mut self.keys, &expired)
    }

    /// Keys are about to change: what the last cut has of them is put aside.
    fn touch(&mut self, ids: &[u32]) -> Result<()> {
        let left = self.tracker.touch(ids.iter().copied());
        let rows = self.saved(left.into_iter())?;
        self.early.extend(rows);
        Ok(())
    }

    /// The row of each of `ids` that has one, and when it was last written.
    fn saved(&self, ids: impl Iterator<Item = u32>) -> Result<Vec<Batch>> {
        let rows = ids.filter_map(|id| Some((self.current[id as usize]?, id)));
        let mut held: Vec<(u32, u32)> = rows.collect();
        held.sort_unstable();
        let rows: Vec<u32> = held.iter().map(|&(row, _)| row).collect();
        let mut batches = Vec::new();
        for (first, batch) in self.rows.batches(&rows)? {
            let of_batch = held[first..first + batch.rows()].iter();
            let written = of_batch.map(|&(_, id)| self.idle.as_ref()?.written_ms(id));
            batches.push(beside(batch, [int64s(written)]));
        }
        Ok(batches)
    }

    fn shape(&self) -> TableShape {
        TableShape::keyed("rows", self.key_columns.clone())
    }

    /// Keys of a step: `gone` are those whose last word was a removal.
    fn write(&mut self, touched: &[u32], gone: &[u32], now_ms: i64) {
        let Some(idle) = &mut self.idle else { return };
        touched.iter().for_each(|&id| idle.write(id, now_ms));
        gone.iter().for_each(|&id| idle.forget(id));
    }
}

impl Operator for UpsertNormalize {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches: Vec<Batch> =
            inputs.into_iter().flat_map(|i| i.batches).filter(|b| !b.is_empty()).collect();
        let Some(all) = Batch::concat(&batches)? else { return Ok(Vec::new()) };
        self.expire(cx.now_ms)?;
        let mut ids = Vec::new();
        let keys = all.project(&self.key_columns);
        self.keys.intern(keys.columns(), all.rows(), &mut ids)?;
        self.current.resize(self.current.len().max(self.keys.bound()), None);
        self.last.resize(self.last.len().max(self.keys.bound()), 0);
        let mut touched = Vec::new();
        for (row, &id) in ids.iter().enumerate() {
            let last = &mut self.last[id as usize];
            if *last == 0 {
                touched.push(id);
            }
            *last = row as u32 + 1;
        }
        self.touch(&touched)?;
        let old: Vec<u32> = touched.iter().filter_map(|&id| self.current[id as usize]).collect();
        let before = self.rows.gather(&old)?;
        let (mut comes, mut gone) = (Vec::new(), Vec::new());
        for &id in &touched {
            let row = std::mem::take(&mut self.last[id as usize]) - 1;
            if all.weight(row as usize) > 0 {
                comes.push((id, row));
            } else {
                self.current[id as usize] = None;
                gone.push(id);
            }
        }
        let rows = comes.iter().map(|&(_, row)| row).collect::<Vec<u32>>();
        let after = all.take(&rows.into())?;
        let after = Batch::new(after.into_columns(), comes.len());
        if !comes.is_empty() {
            let first = self.rows.push(&after)?;
            for (row, &(id, _)) in (first..).zip(&comes) {
                self.current[id as usize] = Some(row);
            }
        }
        self.write(&touched, &gone, cx.now_ms);
        self.tracker.release(&mut self.keys, &gone)?;
        if self.rows.release(old.len()) {
            self.rows.rewrite(self.current.iter_mut().flatten())?;
        }
        let mut output = Vec::new();
        if !old.is_empty() {
            let weights: ScalarBuffer<i64> = vec![-1; old.len()].into();
            output.push(Batch::with_weights(before, old.len(), Some(weights)));
        }
        if !after.is_empty() {
            output.push(after);
        }
        Ok(output)
    }

    /// `rows`: the row of each key, and when it was last written.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let rows = self.saved(0..self.current.len() as u32)?;
        Ok(Some(vec![self.shape().with_rows(rows)]))
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        let removed = self.tracker.cut_table(whole, &self.keys);
        Ok(Some(cut_of(self.shape(), &self.key_columns, whole, removed)))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        let mut batches = std::mem::take(&mut self.early);
        let ids = self.tracker.next(rows);
        batches.extend(self.saved(ids.into_iter())?);
        Ok(replaced(self.shape(), &self.key_columns, batches))
    }

    fn load(&mut self, _table: &str, rows: &Batch) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let (columns, more) = apart(rows, rows.columns().len() - 1);
        let mut ids = Vec::new();
        let keys = columns.project(&self.key_columns);
        self.keys.intern(keys.columns(), keys.rows(), &mut ids)?;
        self.current.resize(self.current.len().max(self.keys.bound()), None);
        let first = self.rows.push(&columns)?;
        for ((&id, row), written) in ids.iter().zip(first..).zip(as_int64s(&more[0])) {
            self.current[id as usize] = Some(row);
            if let (Some(idle), Some(written_ms)) = (&mut self.idle, written) {
                idle.write(id, written_ms);
            }
        }
        Ok(())
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.rows.put_aside(wanted)
    }

    fn state_rows(&self) -> usize {
        self.keys.len()
    }

    fn state_bytes(&self) -> usize {
        let idle = self.idle.as_ref().map_or(0, Idle::size_bytes);
        self.keys.size_bytes() + self.rows.size_bytes() + self.current.capacity() * 8 + idle
    }
}
