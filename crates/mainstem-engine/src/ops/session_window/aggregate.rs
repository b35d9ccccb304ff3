//! GROUP BY over sessions, emitted once per session when the progress of time reaches its end - 1 ms.
//! Invariant: a group of the accumulators is a session; when a row joins two sessions, the state of the later one goes
//! into the earlier one. A row that is taken back leaves the session as long as it was; a session without rows is not
//! emitted.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::super::by_key::{ByKey, KeyedOperator, Keys};
use super::super::calls::Calls;
use super::super::saved::{beside, int64s};
use super::SessionPlan;
use super::sessions::{Sessions, without_late};
use crate::aggregate::AggregateCall;
use crate::operator::{Inputs, StepContext, Watermark};

const OUTPUT_ROWS: usize = 16_384;
/// The table of [`SessionAggregate::rows`]: keys, start, weight.
const COUNTS: &str = "counts";

pub(crate) struct SessionAggregate {
    sessions: Sessions,
    calls: Calls,
    /// For changelogs: the weight of all rows of each session.
    rows: Option<Vec<i64>>,
    time_type: ArrowType,
}

impl SessionAggregate {
    pub(crate) fn new(plan: &SessionPlan, aggregates: &[AggregateCall]) -> Result<Self> {
        Ok(Self {
            sessions: Sessions::new(plan)?,
            calls: Calls::new(aggregates, plan.changelog),
            rows: plan.changelog.then(Vec::new),
            time_type: plan.time_type.clone(),
        })
    }

    /// Aggregates the rows of a step into their sessions.
    fn absorb(
        &mut self,
        batches: Vec<Batch>,
        before: Watermark,
        cx: &mut StepContext,
    ) -> Result<()> {
        let batches: Vec<Batch> = batches.into_iter().filter(|batch| !batch.is_empty()).collect();
        for batch in &batches {
            self.bring_back(&batch.project(self.sessions.key_places()))?;
        }
        let keyed = self.sessions.keyed(batches, cx)?;
        keyed.iter().try_for_each(|rows| self.touch(&rows.keys))?;
        let (assigned, merged) = self.sessions.assign(keyed, before, cx)?;
        let bound = self.sessions.bound();
        if let Some(rows) = &mut self.rows {
            rows.resize(rows.len().max(bound), 0);
            for (&from, &to) in merged.from.iter().zip(&merged.to) {
                rows[to as usize] += std::mem::take(&mut rows[from as usize]);
            }
        }
        if !merged.from.is_empty() {
            self.calls.absorb(&merged.from, &merged.to, bound)?;
        }
        for (batch, sessions) in assigned {
            let (batch, sessions) = without_late(batch, sessions)?;
            if batch.is_empty() {
                continue;
            }
            self.calls.update(&batch, &sessions, bound)?;
            if let Some(rows) = &mut self.rows {
                for (row, &session) in sessions.iter().enumerate() {
                    rows[session as usize] += batch.weight(row);
                }
            }
        }
        self.sessions.end_step();
        Ok(())
    }

    /// Emits the sessions that `progress` closes.
    fn close(&mut self, progress: Watermark) -> Result<Vec<Batch>> {
        if let Some(progress) = progress {
            self.bring_back_due(progress)?;
        }
        let closed = self.sessions.close(progress);
        self.touch(&self.sessions.keys_of(&closed))?;
        let mut shown = closed.clone();
        if let Some(rows) = &self.rows {
            shown.retain(|&session| rows[session as usize] > 0);
        }
        let mut output = Vec::with_capacity(shown.len().div_ceil(OUTPUT_ROWS));
        for sessions in shown.chunks(OUTPUT_ROWS) {
            let mut columns = self.sessions.key_columns(sessions)?;
            columns.extend(self.calls.finish(sessions)?);
            columns.extend(self.sessions.window_columns(sessions, &self.time_type)?);
            output.push(Batch::new(columns, sessions.len()));
        }
        self.calls.clear(&closed);
        if let Some(rows) = &mut self.rows {
            closed.iter().for_each(|&session| rows[session as usize] = 0);
        }
        self.sessions.forget(&closed)?;
        Ok(output)
    }
}

impl ByKey for SessionAggregate {
    fn keys(&self) -> &Keys {
        &self.sessions.keys
    }

    fn keys_mut(&mut self) -> &mut Keys {
        &mut self.sessions.keys
    }

    fn tables_of(&self, keys: &[u32]) -> Result<Vec<TableRows>> {
        let sessions = self.sessions.of_keys(keys);
        let (names, width) = (self.sessions.names(&sessions)?, self.sessions.key_width());
        let mut tables = vec![self.sessions.table(&sessions)?];
        if let Some(rows) = &self.rows {
            let counts = sessions.iter().map(|&session| Some(rows[session as usize]));
            let shape = TableShape::keyed(COUNTS, (0..width).collect());
            tables.push(shape.with_rows(vec![beside(names.clone(), [int64s(counts)])]));
        }
        tables.extend(self.calls.save(&sessions, &names, width)?);
        Ok(tables)
    }

    fn load_table(&mut self, table: &str, rows: &Batch) -> Result<()> {
        let of_sessions = self.sessions.load(table, rows)?;
        let bound = self.sessions.bound();
        if let Some(counts) = &mut self.rows {
            counts.resize(counts.len().max(bound), 0);
        }
        if of_sessions {
            return Ok(());
        }
        let (keys, columns) = rows.columns().split_at(self.sessions.key_width());
        let sessions = self.sessions.named(keys, &columns[0])?;
        if Calls::has_table(table) {
            return self.calls.load(table, &columns[1..], &sessions, bound);
        }
        if let Some(counts) = &mut self.rows {
            let saved = columns[1].as_primitive::<Int64Type>().values();
            sessions.iter().zip(saved).for_each(|(&session, &n)| counts[session as usize] = n);
        }
        Ok(())
    }

    fn other_tables(&self) -> Result<Vec<TableRows>> {
        Ok(vec![self.sessions.time()])
    }

    fn key_bytes(&self) -> usize {
        let rows = self.rows.as_ref().map_or(0, |rows| rows.capacity() * 8);
        self.sessions.size_bytes() + self.calls.size_bytes() + rows
    }

    fn key_rows(&self, key: u32) -> usize {
        self.sessions.of_keys(&[key]).len()
    }

    fn clear_keys(&mut self, keys: &[u32]) -> Result<()> {
        let sessions = self.sessions.clear(keys);
        self.calls.clear(&sessions);
        if let Some(rows) = &mut self.rows {
            sessions.iter().for_each(|&session| rows[session as usize] = 0);
        }
        Ok(())
    }

    fn wakes_ms(&self, key: u32) -> i64 {
        self.sessions.first_close_ms(key)
    }
}

impl KeyedOperator for SessionAggregate {
    fn run_step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let (before, progress) = self.sessions.bounds(cx);
        let batches = inputs.into_iter().flat_map(|arrivals| arrivals.batches).collect();
        self.absorb(batches, before, cx)?;
        self.close(progress)
    }

    fn next_due_ms(&self) -> Option<i64> {
        self.sessions.next_timer_ms()
    }

    fn rows_here(&self) -> usize {
        self.sessions.live()
    }
}
