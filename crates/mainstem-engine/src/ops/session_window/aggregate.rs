//! GROUP BY over sessions, emitted once per session when the progress of time reaches its end - 1 ms.
//! Invariant: a group of the accumulators is a session; when a row joins two sessions, the state of the later one goes
//! into the earlier one. A row that is taken back leaves the session as long as it was; a session without rows is not
//! emitted.

use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};

use super::super::calls::Calls;
use super::SessionPlan;
use super::sessions::{Sessions, without_late};
use crate::aggregate::AggregateCall;
use crate::operator::{Inputs, Operator, StepContext, Watermark};

const OUTPUT_ROWS: usize = 16_384;

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
        let (assigned, merged) = self.sessions.assign(batches, before, cx)?;
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
        let closed = self.sessions.close(progress);
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
        self.sessions.forget(&closed);
        Ok(output)
    }
}

impl Operator for SessionAggregate {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let (before, progress) = self.sessions.bounds(cx);
        let batches = inputs.into_iter().flat_map(|arrivals| arrivals.batches).collect();
        self.absorb(batches, before, cx)?;
        self.close(progress)
    }

    fn next_timer_ms(&self) -> Option<i64> {
        self.sessions.next_timer_ms()
    }

    fn state_rows(&self) -> usize {
        self.sessions.live()
    }

    fn state_bytes(&self) -> usize {
        let rows = self.rows.as_ref().map_or(0, |rows| rows.capacity() * 8);
        self.sessions.size_bytes() + self.calls.size_bytes() + rows
    }
}
