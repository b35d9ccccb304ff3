//! The window table function: each row once per window it is in, with the window's bounds.
//! Invariant: stateless; one batch out for each batch in. A row whose time is NULL is an error, as in Flink.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use mainstem_core::{Batch, Error, Result};

use crate::columns::{from_integers, nulls, times_ms, timestamps};
use mainstem_state::table::TableRows;

use crate::operator::{Inputs, Operator, StepContext};
use crate::plan::TimeSource;
use crate::window::{LocalTime, Span, WindowSpec, localize, to_utc};

/// The local times of the rows: what windows are computed from.
pub(super) fn local_times(
    batch: &Batch,
    time: TimeSource,
    zone: Option<&Arc<dyn LocalTime>>,
    now_ms: i64,
) -> Result<Vec<i64>> {
    let mut times = match time {
        TimeSource::ProcessingTime => vec![now_ms; batch.rows()],
        TimeSource::EventTime { column } => {
            let column = batch.column(column);
            check_times(column)?;
            times_ms(column)?.into_owned()
        }
    };
    if let Some(zone) = zone {
        localize(zone.as_ref(), &mut times);
    }
    Ok(times)
}

/// Refuses NULL times.
pub(super) fn check_times(column: &dyn Array) -> Result<()> {
    if nulls(column).is_some() {
        return Err(Error::user("the time attribute of a row is NULL")
            .with_hint("filter such rows out: WHERE <time column> IS NOT NULL"));
    }
    Ok(())
}

/// `window_start`, `window_end`, `window_time` of windows in local time.
pub(super) fn window_columns(
    windows: impl Iterator<Item = Span> + Clone,
    zone: Option<&Arc<dyn LocalTime>>,
    time_type: &ArrowType,
) -> Result<[ArrayRef; 3]> {
    let per_ms = match time_type {
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => 1_000_000,
        _ => 1,
    };
    let mut last = None;
    let times = windows
        .clone()
        .map(|w| match last {
            Some((end, time)) if end == w.end => time,
            _ => {
                let time = to_utc(zone, w.end - 1) * per_ms;
                last = Some((w.end, time));
                time
            }
        })
        .collect();
    Ok([
        timestamps(windows.clone().map(|w| w.start).collect()),
        timestamps(windows.map(|w| w.end).collect()),
        from_integers(times, None, time_type)?,
    ])
}

/// Adds the windows of each row.
#[derive(Debug)]
pub(crate) struct WindowTable {
    pub(crate) window: WindowSpec,
    pub(crate) time: TimeSource,
    /// The type of `window_time`.
    pub(crate) time_type: ArrowType,
}

impl WindowTable {
    pub(super) fn apply(&self, batch: &Batch, now_ms: i64) -> Result<Batch> {
        let zone = self.window.zone.as_ref();
        let times = local_times(batch, self.time, zone, now_ms)?;
        let (mut rows, mut windows) = (Vec::new(), Vec::new());
        let mut slice = Span { start: 0, end: 0 };
        let mut of_slice: Vec<Span> = Vec::new();
        for (row, &time) in times.iter().enumerate() {
            if time < slice.start || time >= slice.end {
                slice = self.window.slice(time);
                of_slice = self.window.windows(slice).collect();
            }
            rows.extend(std::iter::repeat_n(row as u32, of_slice.len()));
            windows.extend_from_slice(&of_slice);
        }
        let once_each = rows.len() == batch.rows()
            && rows.iter().enumerate().all(|(at, &row)| at == row as usize);
        let expanded =
            if once_each { batch.clone() } else { batch.take(&UInt32Array::from(rows))? };
        let mut columns = expanded.columns().to_vec();
        columns.extend(window_columns(windows.iter().copied(), zone, &self.time_type)?);
        Ok(Batch::with_weights(columns, expanded.rows(), expanded.weights().cloned()))
    }
}

impl Operator for WindowTable {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        batches.map(|batch| self.apply(&batch, cx.now_ms)).collect()
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(Vec::new()))
    }
}
