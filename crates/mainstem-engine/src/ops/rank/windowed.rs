//! Ranks within windows: the wanted rows of each partition of a window, emitted once, when time passes the window.
//! Invariant: append-only in and out, windows in the order of their ends; the state of a window is freed when it is
//! emitted. A row whose window was closed before the step is late, dropped and counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::BooleanArray;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableChange, TableRows, TableShape};

use super::RankPlan;
use super::partitions::{Partitions, ROWS, Unwatched};
use super::top::rank_column;
use crate::columns::times_ms;
use crate::operator::{Inputs, Operator, PutAside, StepContext, Watermark};
use crate::ops::by_key::ByKey;
use crate::ops::saved::{as_int64s, int64s};
use crate::ops::window_table::check_times;
use crate::window::{LocalTime, to_utc};

/// Output batches have at most this many rows.
const OUTPUT_ROWS: usize = 16_384;

/// The table of its state besides those of its partitions.
const CLOCK: &str = "clock";

#[derive(Debug)]
pub(super) struct Windowed {
    partitions: Partitions,
    with_rank: bool,
    /// The column with the end of the row's window.
    end: usize,
    processing_time: bool,
    zone: Option<Arc<dyn LocalTime>>,
    /// By end, in local time: the partitions of the open windows.
    open: BTreeMap<i64, Vec<u32>>,
    /// By partition: it is in `open`.
    is_open: Vec<bool>,
    /// Progress of processing time after the last step.
    progress: Watermark,
    ids: Vec<u32>,
}

impl Windowed {
    pub(super) fn new(
        plan: &RankPlan,
        end: usize,
        processing_time: bool,
        zone: Option<Arc<dyn LocalTime>>,
    ) -> Result<Self> {
        Ok(Self {
            partitions: Partitions::new(plan)?,
            with_rank: plan.with_rank,
            end,
            processing_time,
            zone,
            open: BTreeMap::new(),
            is_open: Vec::new(),
            progress: None,
            ids: Vec::new(),
        })
    }

    /// True if a window that ends at the local time `end` is closed by `progress`.
    fn is_due(&self, end: i64, progress: Watermark) -> bool {
        progress.is_some_and(|p| p == i64::MAX || p >= to_utc(self.zone.as_ref(), end - 1))
    }

    /// The rows that are not late.
    fn in_time(&self, batch: Batch, before: Watermark, late_rows: &mut u64) -> Result<Batch> {
        let column = batch.column(self.end);
        check_times(column)?;
        let in_time = |&end: &i64| Some(!self.is_due(end, before));
        let mask: BooleanArray = times_ms(column)?.iter().map(in_time).collect();
        let kept = batch.filter(&mask)?;
        *late_rows += (batch.rows() - kept.rows()) as u64;
        Ok(kept)
    }

    fn absorb(&mut self, batch: &Batch) -> Result<()> {
        self.partitions.intern(batch, &mut self.ids)?;
        self.open_windows(batch)?;
        self.partitions.append(batch, &self.ids, &mut Unwatched)
    }

    /// Opens the windows of rows, whose partitions are `ids`.
    fn open_windows(&mut self, batch: &Batch) -> Result<()> {
        let bound = self.partitions.table.bound();
        self.is_open.resize(self.is_open.len().max(bound), false);
        let ends = times_ms(batch.column(self.end))?;
        for (&partition, &end) in self.ids.iter().zip(ends.iter()) {
            let is_open = &mut self.is_open[partition as usize];
            if !std::mem::replace(is_open, true) {
                self.open.entry(end).or_default().push(partition);
            }
        }
        Ok(())
    }

    /// Emits and frees the windows that `progress` closes.
    fn close(&mut self, progress: Watermark) -> Result<Vec<Batch>> {
        let (mut rows, mut ranks, mut closed) = (Vec::new(), Vec::new(), Vec::new());
        while let Some((&end, _)) = self.open.first_key_value()
            && self.is_due(end, progress)
            && let Some((_, partitions)) = self.open.pop_first()
        {
            for &partition in &partitions {
                self.is_open[partition as usize] = false;
                self.partitions.ranked(partition, &mut |row, rank| {
                    rows.push(row);
                    ranks.push(rank);
                });
            }
            closed.extend(partitions);
        }
        let mut output = Vec::with_capacity(rows.len().div_ceil(OUTPUT_ROWS));
        for (rows, ranks) in rows.chunks(OUTPUT_ROWS).zip(ranks.chunks(OUTPUT_ROWS)) {
            let mut columns = self.partitions.store.gather(rows)?;
            if self.with_rank {
                columns.push(rank_column(ranks.iter().copied()));
            }
            output.push(Batch::new(columns, rows.len()));
        }
        self.partitions.forget(&closed)?;
        Ok(output)
    }

    fn clock(&self) -> TableRows {
        let clock = Batch::new(vec![int64s([self.progress])], 1);
        TableShape::common(CLOCK).with_rows(vec![clock])
    }

    /// The progress of time before and after this step.
    fn bounds(&mut self, cx: &StepContext) -> (Watermark, Watermark) {
        if !self.processing_time {
            return (cx.watermark_before, cx.watermark);
        }
        let before = self.progress;
        let after = if cx.end_of_input { i64::MAX } else { cx.now_ms - 1 };
        self.progress = before.max(Some(after));
        (before, self.progress)
    }
}

impl Operator for Windowed {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let (before, progress) = self.bounds(cx);
        for batch in inputs.into_iter().flat_map(|input| input.batches) {
            let batch = self.in_time(batch, before, &mut cx.metrics.late_rows)?;
            if !batch.is_empty() {
                self.absorb(&batch)?;
            }
        }
        let output = self.close(progress)?;
        self.partitions.end_step()?;
        Ok(output)
    }

    /// The rows, which name their windows; and `clock`: how far processing time is.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let mut tables = self.partitions.save_keys()?;
        tables.push(self.clock());
        Ok(Some(tables))
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        let mut changes = self.partitions.cut_keys(whole)?;
        changes.push(self.clock().into());
        Ok(Some(changes))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        self.partitions.hand_out_keys(rows)
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        if table == CLOCK {
            self.progress = as_int64s(rows.column(0)).flatten().next();
            return Ok(());
        }
        self.partitions.load(table, rows)?;
        if table == ROWS && !rows.is_empty() {
            self.partitions.intern_keys(&rows.project(self.partitions.columns()), &mut self.ids)?;
            self.open_windows(rows)?;
        }
        Ok(())
    }

    fn next_timer_ms(&self) -> Option<i64> {
        let (&end, _) = self.open.first_key_value().filter(|_| self.processing_time)?;
        Some(to_utc(self.zone.as_ref(), end - 1) + 1)
    }

    fn put_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.partitions.store.put_aside(wanted)
    }

    fn state_rows(&self) -> usize {
        self.partitions.state_rows()
    }

    fn state_bytes(&self) -> usize {
        self.partitions.state_bytes()
    }
}
