//! Which sessions are open: rows of a key are in one session if each is at most the gap after the one before it.
//! Invariant: the open sessions of a key neither overlap nor touch (a row exactly one gap after another touches it, as
//! in Flink). A step is a set: a row that alone would be late is kept if other rows of the step join it to an open
//! session. State is one slot a session, freed when the progress of time reaches its end - 1 ms; a key goes with its
//! last session. Does not know what is kept of the rows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::DataType as ArrowType;
use mainstem_core::{Batch, Result};

use super::super::by_key::Keys;
use super::super::window_table::{local_times, window_columns};
use super::super::window_time::WindowTime;
use super::SessionPlan;
use crate::key_table::{ABSENT, Ids};
use crate::operator::{StepContext, Watermark};
use crate::plan::TimeSource;
use crate::window::{SessionSpec, Span, to_utc};

/// A session, or what one that was merged left behind until the end of the step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// Its first row, and the gap after its last; local times in ms.
    pub(super) span: Span,
    pub(super) key: u32,
    /// The session that has it now; [`ABSENT`]: it is its own.
    pub(super) merged_into: u32,
    /// The end it had when its timer was set; [`NO_TIMER`] in a slot without a session.
    pub(super) timer: i64,
    /// How many sessions were opened before it.
    pub(super) number: u64,
}

pub(super) const NO_TIMER: i64 = i64::MIN;

/// A row that touches no session and whose own is closed already, unless other rows of the step help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Straggler {
    key: u32,
    /// Latest first: what keeps one row may keep the row before it.
    time: Reverse<i64>,
    batch: usize,
    row: usize,
}

/// Rows of a step with the time and the key of each.
pub(super) struct Keyed {
    batch: Batch,
    times: Vec<i64>,
    pub(super) keys: Vec<u32>,
}

/// The rows of one step with the session of each; [`ABSENT`]: late.
pub(super) type Assigned = Vec<(Batch, Vec<u32>)>;

/// Sessions that other ones have absorbed: from, to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) from: Vec<u32>,
    pub(super) to: Vec<u32>,
}

pub(super) struct Sessions {
    spec: SessionSpec,
    time: TimeSource,
    pub(super) key_columns: Vec<usize>,
    pub(super) keys: Keys,
    /// For each key, its latest session: where nearly every row belongs.
    pub(super) latest: Vec<u32>,
    /// The other open sessions by key and start.
    pub(super) older: BTreeMap<(u32, i64), u32>,
    pub(super) slots: Vec<Slot>,
    pub(super) ids: Ids,
    /// One entry a session, at its end or before it; entries of sessions that are gone are passed over.
    pub(super) timers: BinaryHeap<Reverse<(i64, u32)>>,
    pub(super) passed: WindowTime,
    /// How many sessions were opened.
    pub(super) opened: u64,
    /// Of this step: slots that were merged away, rows that may be late.
    merged: Vec<u32>,
    stragglers: Vec<Straggler>,
}

impl Sessions {
    pub(super) fn new(plan: &SessionPlan) -> Result<Self> {
        plan.session.check()?;
        let types: Vec<_> = plan.keys.iter().map(|&i| plan.input[i].clone()).collect();
        Ok(Self {
            spec: plan.session.clone(),
            time: plan.time,
            key_columns: plan.keys.clone(),
            keys: Keys::new(&types)?,
            latest: Vec::new(),
            older: BTreeMap::new(),
            slots: Vec::new(),
            ids: Ids::default(),
            timers: BinaryHeap::new(),
            passed: WindowTime::new(plan.time == TimeSource::ProcessingTime),
            opened: 0,
            merged: Vec::new(),
            stragglers: Vec::new(),
        })
    }

    /// The progress of time before and after this step.
    pub(super) fn bounds(&mut self, cx: &StepContext) -> (Watermark, Watermark) {
        self.passed.bounds(cx)
    }

    /// One more than the greatest session number in use.
    pub(super) fn bound(&self) -> usize {
        self.ids.bound()
    }

    /// Finds the keys of rows; [`Sessions::assign`] goes on from there.
    pub(super) fn keyed(&mut self, batches: Vec<Batch>, cx: &StepContext) -> Result<Vec<Keyed>> {
        let mut keyed = Vec::with_capacity(batches.len());
        for batch in batches {
            let times = local_times(&batch, self.time, self.spec.zone.as_ref(), cx.now_ms)?;
            let columns = batch.project(&self.key_columns);
            let mut keys = Vec::new();
            self.keys.intern(columns.columns(), batch.rows(), &mut keys)?;
            keyed.push(Keyed { batch, times, keys });
        }
        self.latest.resize(self.latest.len().max(self.keys.bound()), ABSENT);
        Ok(keyed)
    }

    /// Puts all rows of a step into sessions, and says which sessions became one. The numbers of absorbed sessions
    /// stay taken until [`Sessions::end_step`].
    pub(super) fn assign(
        &mut self,
        rows: Vec<Keyed>,
        before: Watermark,
        cx: &mut StepContext,
    ) -> Result<(Assigned, Merged)> {
        let mut assigned = Assigned::with_capacity(rows.len());
        for Keyed { batch, times, keys } in rows {
            let mut sessions = Vec::with_capacity(keys.len());
            for (row, (&key, &time)) in keys.iter().zip(&times).enumerate() {
                let session = self.place(key, time, before).unwrap_or_else(|| {
                    let time = Reverse(time);
                    self.stragglers.push(Straggler { key, time, batch: assigned.len(), row });
                    ABSENT
                });
                sessions.push(session);
            }
            assigned.push((batch, sessions));
        }
        cx.metrics.late_rows += self.retry(&mut assigned, before)?;
        let merged = self.settle(&mut assigned);
        Ok((assigned, merged))
    }

    /// Asks once more for the rows that touched no session. Returns how many still do not.
    fn retry(&mut self, assigned: &mut Assigned, before: Watermark) -> Result<u64> {
        let mut stragglers = std::mem::take(&mut self.stragglers);
        stragglers.sort_unstable();
        let mut unused = Vec::new();
        let mut late_rows = 0;
        for Straggler { key, time, batch, row } in stragglers {
            match self.place(key, time.0, before) {
                Some(session) => assigned[batch].1[row] = session,
                None => {
                    late_rows += 1;
                    if self.latest[key as usize] == ABSENT && unused.last() != Some(&key) {
                        unused.push(key);
                    }
                }
            }
        }
        self.keys.release(&unused)?;
        Ok(late_rows)
    }

    /// Names the session that has each row after all merging.
    fn settle(&mut self, assigned: &mut Assigned) -> Merged {
        if self.merged.is_empty() {
            return Merged::default();
        }
        for (_, sessions) in assigned {
            for session in sessions.iter_mut().filter(|session| **session != ABSENT) {
                *session = self.root(*session);
            }
        }
        let mut from = self.merged.clone();
        from.sort_unstable_by_key(|&session| (self.slots[session as usize].span.start, session));
        let to = from.iter().map(|&session| self.root(session)).collect();
        Merged { from, to }
    }

    fn root(&self, mut session: u32) -> u32 {
        loop {
            match self.slots[session as usize].merged_into {
                ABSENT => return session,
                next => session = next,
            }
        }
    }

    /// The numbers of sessions that were absorbed can be handed out again.
    pub(super) fn end_step(&mut self) {
        self.ids.release(&self.merged);
        self.merged.clear();
    }

    /// The session of a row, new or longer than before; `None` if it touches none and its own would be closed.
    fn place(&mut self, key: u32, time: i64, before: Watermark) -> Option<u32> {
        let own = Span { start: time, end: time.saturating_add(self.spec.gap_ms) };
        let latest = self.latest[key as usize];
        if latest == ABSENT {
            let session = self.open(key, own, before)?;
            self.latest[key as usize] = session;
            return Some(session);
        }
        let span = self.slots[latest as usize].span;
        if own.start > span.end {
            // Later than an open session, so open itself.
            let session = self.open(key, own, before)?;
            self.older.insert((key, span.start), latest);
            self.latest[key as usize] = session;
            return Some(session);
        }
        if own.start >= span.start {
            self.slots[latest as usize].span.end = span.end.max(own.end);
            return Some(latest);
        }
        self.place_below(key, own, before)
    }

    /// The same for a row before the start of the latest session.
    fn place_below(&mut self, key: u32, own: Span, before: Watermark) -> Option<u32> {
        let latest = self.latest[key as usize];
        let mut touched = Vec::new();
        if self.slots[latest as usize].span.start <= own.end {
            touched.push(latest);
        }
        let below = self.older.range((key, i64::MIN)..=(key, own.end)).rev();
        touched.extend(
            below
                .map(|(_, &session)| session)
                .take_while(|&session| self.slots[session as usize].span.end >= own.start),
        );
        let Some(&earliest) = touched.last() else {
            let session = self.open(key, own, before)?;
            self.older.insert((key, own.start), session);
            return Some(session);
        };
        let mut span = own;
        for &session in &touched {
            let other = self.slots[session as usize].span;
            span = Span { start: span.start.min(other.start), end: span.end.max(other.end) };
            if session != latest {
                self.older.remove(&(key, other.start));
            }
            if session != earliest {
                self.slots[session as usize].merged_into = earliest;
                self.slots[session as usize].timer = NO_TIMER;
                self.merged.push(session);
            }
        }
        self.slots[earliest as usize].span = span;
        if touched.first() == Some(&latest) {
            self.latest[key as usize] = earliest;
        } else {
            self.older.insert((key, span.start), earliest);
        }
        Some(earliest)
    }

    fn open(&mut self, key: u32, span: Span, before: Watermark) -> Option<u32> {
        if self.due(span.end, before) {
            return None;
        }
        let session = self.ids.allocate();
        let slot = Slot { span, key, merged_into: ABSENT, timer: span.end, number: self.opened };
        self.opened += 1;
        match self.slots.get_mut(session as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.timers.push(Reverse((span.end, session)));
        Some(session)
    }

    /// True if a session that ends at the local time `end` is closed by `progress`.
    fn due(&self, end: i64, progress: Watermark) -> bool {
        progress.is_some_and(|p| p == i64::MAX || p >= self.closes_ms(end))
    }

    /// The sessions that `progress` closes, which are to be forgotten: earliest end first, of one end in the order in which they
    /// were opened.
    pub(super) fn close(&mut self, progress: Watermark) -> Vec<u32> {
        let mut closed = Vec::new();
        while let Some(&Reverse((timer, session))) = self.timers.peek() {
            if !self.due(timer, progress) {
                break;
            }
            self.timers.pop();
            let slot = &mut self.slots[session as usize];
            if slot.timer != timer {
                continue;
            }
            let end = slot.span.end;
            if end > timer {
                slot.timer = end;
                self.timers.push(Reverse((end, session)));
                continue;
            }
            slot.timer = NO_TIMER;
            closed.push(session);
        }
        closed.sort_unstable_by_key(|&session| {
            let Slot { span, number, .. } = self.slots[session as usize];
            (span.end, number)
        });
        closed
    }

    /// The key columns of sessions.
    pub(super) fn key_columns(&self, sessions: &[u32]) -> Result<Vec<ArrayRef>> {
        self.keys.emit(&self.keys_of(sessions))
    }

    /// `window_start`, `window_end`, `window_time` of sessions.
    pub(super) fn window_columns(
        &self,
        sessions: &[u32],
        time_type: &ArrowType,
    ) -> Result<[ArrayRef; 3]> {
        let spans = sessions.iter().map(|&session| self.slots[session as usize].span);
        window_columns(spans, self.spec.zone.as_ref(), time_type)
    }

    /// The key of each session.
    pub(super) fn keys_of(&self, sessions: &[u32]) -> Vec<u32> {
        sessions.iter().map(|&session| self.slots[session as usize].key).collect()
    }

    /// Frees sessions that [`Sessions::close`] gave, and the keys that have none left.
    pub(super) fn forget(&mut self, closed: &[u32]) -> Result<()> {
        for &session in closed {
            let Slot { span, key, .. } = self.slots[session as usize];
            if self.latest[key as usize] == session {
                self.latest[key as usize] = ABSENT;
            } else {
                self.older.remove(&(key, span.start));
            }
        }
        let mut keys = self.keys_of(closed);
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|&key| self.latest[key as usize] == ABSENT);
        self.keys.release(&keys)?;
        self.ids.release(closed);
        Ok(())
    }

    /// When processing time closes the next session.
    pub(super) fn next_timer_ms(&self) -> Option<i64> {
        if self.time != TimeSource::ProcessingTime {
            return None;
        }
        let here = self.timers.peek().map(|Reverse((end, _))| self.closes_ms(*end));
        let next = here.into_iter().chain(self.keys.next_wake_ms()).min();
        next.map(|closes_ms| closes_ms + 1)
    }

    /// The time that closes a session which ends at the local time `end`.
    pub(super) fn closes_ms(&self, end: i64) -> i64 {
        to_utc(self.spec.zone.as_ref(), end - 1)
    }

    pub(super) fn live(&self) -> usize {
        self.ids.live()
    }

    /// Memory kept besides the keys, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.latest.capacity() * 4
            + self.older.len() * 40
            + self.slots.capacity() * size_of::<Slot>()
            + self.timers.capacity() * 16
    }
}

/// The rows that are in a session, and the session of each.
pub(super) fn without_late(batch: Batch, sessions: Vec<u32>) -> Result<(Batch, Vec<u32>)> {
    if sessions.iter().all(|&session| session != ABSENT) {
        return Ok((batch, sessions));
    }
    let kept: BooleanArray = sessions.iter().map(|&session| Some(session != ABSENT)).collect();
    let sessions = sessions.into_iter().filter(|&session| session != ABSENT).collect();
    debug_assert_eq!(kept.null_count(), 0);
    Ok((batch.filter(&kept)?, sessions))
}
