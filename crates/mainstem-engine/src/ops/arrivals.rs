//! Rows that are kept as they came, until all of them are taken; as a table, with their weights behind their columns.
//! Invariant: cuts tell a row once, in its place; after rows were taken the next cut begins anew.

use std::collections::VecDeque;

use mainstem_core::Batch;
use mainstem_state::table::{Change, TableChange, TableRows, TableShape};

use super::rows::{weighted_again, with_weights};

#[derive(Debug, Default)]
pub(super) struct Arrivals {
    batches: Vec<Batch>,
    /// Batches before this one are of earlier cuts.
    told: usize,
    /// Of the last cut, not yet handed out.
    left: VecDeque<Batch>,
    /// Rows of earlier cuts are no more.
    anew: bool,
}

impl Arrivals {
    pub(super) fn push(&mut self, batch: Batch) {
        if !batch.is_empty() {
            self.batches.push(batch);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Batch> {
        self.anew |= self.told > 0;
        self.told = 0;
        std::mem::take(&mut self.batches)
    }

    pub(super) fn rows(&self) -> usize {
        self.batches.iter().map(Batch::rows).sum()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.batches.iter().map(Batch::size_bytes).sum()
    }

    pub(super) fn save(&self, shape: TableShape) -> TableRows {
        shape.with_rows(self.batches.iter().map(with_weights).collect())
    }

    pub(super) fn load(&mut self, rows: &Batch) {
        if !rows.is_empty() {
            self.push(weighted_again(rows));
        }
    }

    pub(super) fn cut(&mut self, shape: TableShape, whole: bool) -> Option<TableChange> {
        debug_assert!(self.left.is_empty(), "the cut before was handed out");
        let anew = std::mem::take(&mut self.anew) || whole;
        let from = if anew { 0 } else { self.told };
        self.left.extend(self.batches[from..].iter().cloned());
        self.told = self.batches.len();
        anew.then(|| shape.changed(Change::Anew(Vec::new())))
    }

    pub(super) fn hand_out(&mut self, shape: TableShape, rows: usize) -> Option<TableChange> {
        let (mut batches, mut count) = (Vec::new(), 0);
        while count < rows.max(1)
            && let Some(batch) = self.left.pop_front()
        {
            count += batch.rows();
            batches.push(with_weights(&batch));
        }
        (!batches.is_empty()).then(|| shape.changed(Change::Added(batches)))
    }
}
