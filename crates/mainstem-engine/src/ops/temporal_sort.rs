//! ORDER BY time over a stream: rows in the order of their time, each as soon as none can come before it.
//! Invariant: append-only in and out, on one worker; what came out is sorted. By event time a row waits for the
//! watermark; by processing time the rows of a step are sorted among themselves. A row whose time is not after that of
//! a row that came out is late, dropped and counted.

use arrow_array::BooleanArray;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::saved::{as_int64s, int64s};
use super::sort::SortOrder;
use super::time_queue::TimeQueue;
use super::window_table::check_times;
use crate::columns::times_ms;
use crate::operator::{Inputs, Operator, StepContext, cut};
use crate::plan::TimeSource;

const OUTPUT_ROWS: usize = 16_384;
/// The tables of its state.
const WAITING: &str = "waiting";
const EMITTED: &str = "emitted";

#[derive(Debug)]
pub(crate) struct TemporalSort {
    time: TimeSource,
    order: SortOrder,
    waiting: Option<TimeQueue>,
    /// The greatest time that came out.
    emitted: Option<i64>,
}

impl TemporalSort {
    /// `keys`: column, descending, NULLs first; by event time, its column is the first one, ascending.
    pub(crate) fn new(
        time: TimeSource,
        keys: &[(usize, bool, bool)],
        types: &[ArrowType],
    ) -> Result<Self> {
        let waiting = match time {
            TimeSource::EventTime { column } => Some(TimeQueue::new(column)),
            TimeSource::ProcessingTime => None,
        };
        Ok(Self { time, order: SortOrder::new(keys, types)?, waiting, emitted: None })
    }

    /// The rows that are not late.
    fn in_time(&self, batch: Batch, column: usize, late_rows: &mut u64) -> Result<Batch> {
        check_times(batch.column(column))?;
        let Some(emitted) = self.emitted else { return Ok(batch) };
        let times = times_ms(batch.column(column))?;
        let mask: BooleanArray = times.iter().map(|&time| Some(time > emitted)).collect();
        let kept = batch.filter(&mask)?;
        *late_rows += (batch.rows() - kept.rows()) as u64;
        Ok(kept)
    }
}

impl Operator for TemporalSort {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        let mut due = Vec::new();
        for batch in batches.filter(|batch| !batch.is_empty()) {
            match self.time {
                TimeSource::ProcessingTime => due.push(batch),
                TimeSource::EventTime { column } => {
                    let batch = self.in_time(batch, column, &mut cx.metrics.late_rows)?;
                    if let Some(waiting) = &mut self.waiting {
                        waiting.push(batch)?;
                    }
                }
            }
        }
        if let Some(waiting) = &mut self.waiting {
            let watermark = if cx.end_of_input { Some(i64::MAX) } else { cx.watermark };
            if let Some(watermark) = watermark {
                due = waiting.take_until(watermark)?;
            }
        }
        let Some(all) = Batch::concat(&due)? else { return Ok(Vec::new()) };
        let sorted = self.order.sort(&all, None)?;
        if let TimeSource::EventTime { column } = self.time {
            let last = times_ms(sorted.column(column))?.last().copied();
            self.emitted = self.emitted.max(last);
        }
        Ok(cut(&sorted, OUTPUT_ROWS).collect())
    }

    /// `waiting`: rows; `emitted`: the greatest time that came out.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let waiting = self.waiting.iter().flat_map(TimeQueue::batches).cloned().collect();
        let emitted = self.emitted.map(|time| Batch::new(vec![int64s([Some(time)])], 1));
        Ok(Some(vec![
            TableShape::keyed(WAITING, Vec::new()).with_rows(waiting),
            TableShape::keyed(EMITTED, Vec::new()).with_rows(emitted.into_iter().collect()),
        ]))
    }

    fn load(&mut self, table: &str, rows: &Batch) -> Result<()> {
        match (table, &mut self.waiting) {
            (EMITTED, _) => {
                self.emitted = self.emitted.max(as_int64s(rows.column(0)).flatten().max())
            }
            (_, Some(waiting)) => waiting.push(rows.clone())?,
            (_, None) => {}
        }
        Ok(())
    }

    fn state_rows(&self) -> usize {
        self.waiting.as_ref().map_or(0, TimeQueue::len)
    }

    fn state_bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, TimeQueue::size_bytes)
    }
}
