//! The table function SESSION: each row with its session, when the session closes.
//! Invariant: rows are kept until the progress of time reaches the end of their session - 1 ms, and come out with its
//! final bounds, in the order in which they came. Weights are kept as they came.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::super::by_key::{ByKey, KeyedOperator, Keys};
use super::super::rows::Rows;
use super::SessionPlan;
use super::sessions::{Sessions, without_late};
use crate::operator::{Inputs, PutAside, StepContext, Watermark};

const OUTPUT_ROWS: usize = 16_384;
/// The table of the rows.
const ROWS: &str = "rows";

pub(crate) struct SessionTable {
    sessions: Sessions,
    /// The input's columns, for changelogs with the weight behind them.
    rows: Rows,
    /// The rows of each session.
    members: Vec<Vec<u32>>,
    changelog: bool,
    time_type: ArrowType,
}

impl SessionTable {
    pub(crate) fn new(plan: &SessionPlan) -> Result<Self> {
        let mut types = plan.input.clone();
        types.extend(plan.changelog.then_some(ArrowType::Int64));
        Ok(Self {
            sessions: Sessions::new(plan)?,
            rows: Rows::new(&types),
            members: Vec::new(),
            changelog: plan.changelog,
            time_type: plan.time_type.clone(),
        })
    }

    fn keep(&mut self, batches: Vec<Batch>, before: Watermark, cx: &mut StepContext) -> Result<()> {
        let batches: Vec<Batch> = batches.into_iter().filter(|batch| !batch.is_empty()).collect();
        for batch in &batches {
            self.bring_back(&batch.project(self.sessions.key_places()))?;
        }
        let keyed = self.sessions.keyed(batches, cx)?;
        keyed.iter().try_for_each(|rows| self.touch(&rows.keys))?;
        let (assigned, merged) = self.sessions.assign(keyed, before, cx)?;
        let bound = self.sessions.bound();
        self.members.resize_with(self.members.len().max(bound), Vec::new);
        for (&from, &to) in merged.from.iter().zip(&merged.to) {
            let moved = std::mem::take(&mut self.members[from as usize]);
            self.members[to as usize].extend(moved);
        }
        for (batch, sessions) in assigned {
            let (batch, sessions) = without_late(batch, sessions)?;
            if batch.is_empty() {
                continue;
            }
            let first = self.rows.push(&self.with_weights(batch))?;
            for (row, &session) in (first..).zip(&sessions) {
                self.members[session as usize].push(row);
            }
        }
        self.sessions.end_step();
        Ok(())
    }

    fn with_weights(&self, batch: Batch) -> Batch {
        if !self.changelog {
            return batch;
        }
        let rows = batch.rows();
        let weights: Int64Array = (0..rows).map(|row| batch.weight(row)).collect();
        let mut columns = batch.into_columns();
        columns.push(Arc::new(weights));
        Batch::new(columns, rows)
    }

    /// Emits the rows of the sessions that `progress` closes.
    fn close(&mut self, progress: Watermark) -> Result<Vec<Batch>> {
        if let Some(progress) = progress {
            self.bring_back_due(progress)?;
        }
        let closed = self.sessions.close(progress);
        if closed.is_empty() {
            return Ok(Vec::new());
        }
        self.touch(&self.sessions.keys_of(&closed))?;
        let (mut rows, mut sessions) = (Vec::new(), Vec::new());
        for &session in &closed {
            let own = std::mem::take(&mut self.members[session as usize]);
            sessions.extend(std::iter::repeat_n(session, own.len()));
            rows.extend(own);
        }
        let mut output = Vec::with_capacity(rows.len().div_ceil(OUTPUT_ROWS));
        for (rows, sessions) in rows.chunks(OUTPUT_ROWS).zip(sessions.chunks(OUTPUT_ROWS)) {
            let mut columns: Vec<ArrayRef> = self.rows.gather(rows)?;
            let weights = if self.changelog { columns.pop() } else { None };
            columns.extend(self.sessions.window_columns(sessions, &self.time_type)?);
            let weights = weights.map(|w| w.as_primitive::<Int64Type>().values().clone());
            output.push(Batch::with_weights(columns, rows.len(), weights));
        }
        self.sessions.forget(&closed)?;
        self.release(rows.len())?;
        Ok(output)
    }

    /// Gives the memory of rows back that no session has.
    fn release(&mut self, rows: usize) -> Result<()> {
        if self.rows.release(rows) {
            self.rows.rewrite(self.members.iter_mut().flatten())?;
        }
        Ok(())
    }

    /// The rows of sessions: the columns of [`SessionTable::rows`], and the start of the session.
    fn rows_of(&self, of: &[u32]) -> Result<Vec<Batch>> {
        let (mut rows, mut sessions) = (Vec::new(), Vec::new());
        for &session in of {
            let own = &self.members[session as usize];
            sessions.extend(std::iter::repeat_n(session, own.len()));
            rows.extend_from_slice(own);
        }
        let mut batches = Vec::with_capacity(rows.len().div_ceil(OUTPUT_ROWS));
        for (rows, sessions) in rows.chunks(OUTPUT_ROWS).zip(sessions.chunks(OUTPUT_ROWS)) {
            let mut columns = self.rows.gather(rows)?;
            columns.push(self.sessions.starts(sessions));
            batches.push(Batch::new(columns, rows.len()));
        }
        Ok(batches)
    }
}

impl ByKey for SessionTable {
    fn keys(&self) -> &Keys {
        &self.sessions.keys
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.sessions.keys
    }

    fn tables_of(&self, keys: &[u32]) -> Result<Vec<TableRows>> {
        let sessions = self.sessions.of_keys(keys);
        let shape = TableShape::keyed(ROWS, self.sessions.key_places().to_vec());
        let rows = shape.with_rows(self.rows_of(&sessions)?);
        Ok(vec![self.sessions.table(&sessions)?, rows])
    }

    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()> {
        let of_sessions = self.sessions.load(table, rows)?;
        let bound = self.sessions.bound();
        self.members.resize_with(self.members.len().max(bound), Vec::new);
        if of_sessions || rows.is_empty() {
            return Ok(());
        }
        let mut columns = rows.columns().to_vec();
        let starts = columns.pop();
        let starts = starts.ok_or_else(|| Error::internal("rows without their session"))?;
        let keys: Vec<ArrayRef> =
            self.sessions.key_places().iter().map(|&key| Arc::clone(&columns[key])).collect();
        let sessions = self.sessions.named(&keys, &starts)?;
        let first = self.rows.push(&Batch::new(columns, rows.rows()))?;
        for (row, &session) in (first..).zip(&sessions) {
            self.members[session as usize].push(row);
        }
        Ok(())
    }

    fn other_tables(&self) -> Result<Vec<TableRows>> {
        Ok(vec![self.sessions.time()])
    }

    fn key_bytes(&self) -> usize {
        let members = self.members.iter().map(|rows| rows.capacity() * 4 + 24).sum::<usize>();
        self.sessions.size_bytes() + self.rows.size_bytes() + members
    }

    fn key_rows(&self, key: u32) -> usize {
        let sessions = self.sessions.of_keys(&[key]);
        sessions.iter().map(|&session| self.members[session as usize].len()).sum()
    }

    fn clear_keys(&mut self, keys: &[u32]) -> Result<()> {
        let sessions = self.sessions.clear(keys);
        let gone = sessions.iter().map(|&s| std::mem::take(&mut self.members[s as usize]).len());
        let gone = gone.sum();
        self.release(gone)
    }

    fn wakes_ms(&self, key: u32) -> i64 {
        self.sessions.first_close_ms(key)
    }
}

impl KeyedOperator for SessionTable {
    fn run_step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let (before, progress) = self.sessions.bounds(cx);
        let batches = inputs.into_iter().flat_map(|arrivals| arrivals.batches).collect();
        self.keep(batches, before, cx)?;
        self.close(progress)
    }

    fn next_due_ms(&self) -> Option<i64> {
        self.sessions.next_timer_ms()
    }

    fn put_rows_aside(&mut self, wanted: &mut PutAside<'_>) -> Result<()> {
        self.rows.put_aside(wanted)
    }

    fn rows_here(&self) -> usize {
        self.members.iter().map(Vec::len).sum::<usize>()
    }
}
