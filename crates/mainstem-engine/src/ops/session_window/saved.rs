//! The open sessions as rows of a table, and how rows of other tables name them: by key and start, which no two open
//! sessions have in common.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, UInt64Array};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::sessions::{NO_TIMER, Sessions, Slot};
use crate::columns::{times_ms, timestamps};
use crate::key_table::ABSENT;
use crate::window::Span;

/// So many timers of sessions that are not here are left alone.
const STALE_MAX: usize = 1024;
/// Keys, start, end, number.
const SESSIONS: &str = "sessions";

impl Sessions {
    /// Has the places of keys and of their sessions empty, but for those in the table of keys. Returns the sessions.
    pub(super) fn clear(&mut self, keys: &[u32]) -> Vec<u32> {
        let sessions = self.of_keys(keys);
        for &session in &sessions {
            let Slot { span, key, .. } = self.slots[session as usize];
            self.slots[session as usize].timer = NO_TIMER;
            self.older.remove(&(key, span.start));
            self.latest[key as usize] = ABSENT;
        }
        self.ids.release(&sessions);
        if self.timers.len() > 2 * self.slots.len() + STALE_MAX {
            let slots = &self.slots;
            self.timers.retain(|Reverse((timer, id))| slots[*id as usize].timer == *timer);
        }
        sessions
    }

    /// When time closes the first session of a key.
    pub(super) fn first_close_ms(&self, key: u32) -> i64 {
        let ends = self.of_keys(&[key]).into_iter().map(|s| self.slots[s as usize].span.end);
        ends.min().map_or(i64::MAX, |end| self.closes_ms(end))
    }

    /// What names `sessions`: the columns of their keys, and their starts.
    pub(super) fn names(&self, sessions: &[u32]) -> Result<Batch> {
        let mut columns = self.key_columns(sessions)?;
        columns.push(self.starts(sessions));
        Ok(Batch::new(columns, sessions.len()))
    }

    pub(super) fn starts(&self, sessions: &[u32]) -> ArrayRef {
        let start = |&session: &u32| self.slots[session as usize].span.start;
        timestamps(sessions.iter().map(start).collect())
    }

    /// How many of the columns of [`Sessions::names`] are keys.
    pub(super) fn key_width(&self) -> usize {
        self.key_columns.len()
    }

    /// The numbers of the columns of input rows that are keys.
    pub(super) fn key_places(&self) -> &[usize] {
        &self.key_columns
    }

    /// The open sessions of keys, in the order of their starts.
    pub(super) fn of_keys(&self, keys: &[u32]) -> Vec<u32> {
        let of = |&key: &u32| {
            let older = self.older.range((key, i64::MIN)..=(key, i64::MAX));
            let latest = self.latest[key as usize];
            older.map(|(_, &session)| session).chain((latest != ABSENT).then_some(latest))
        };
        keys.iter().flat_map(of).collect()
    }

    /// The table of sessions that are open.
    pub(super) fn table(&self, sessions: &[u32]) -> Result<TableRows> {
        let slots = sessions.iter().map(|&session| &self.slots[session as usize]);
        let mut columns = self.names(sessions)?.into_columns();
        columns.push(timestamps(slots.clone().map(|slot| slot.span.end).collect()));
        columns.push(Arc::new(UInt64Array::from_iter_values(slots.map(|slot| slot.number))));
        let shape = TableShape::keyed(SESSIONS, (0..self.key_width()).collect());
        Ok(shape.with_rows(vec![Batch::new(columns, sessions.len())]))
    }

    /// How far time is.
    pub(super) fn time(&self) -> TableRows {
        self.passed.save()
    }

    /// Takes rows of these tables; false if `table` is another.
    pub(super) fn load(&mut self, table: &str, rows: &Batch) -> Result<bool> {
        if self.passed.load(table, rows) {
            return Ok(true);
        }
        if table != SESSIONS {
            return Ok(false);
        }
        let (keys, columns) = rows.columns().split_at(self.key_width());
        let mut ids = Vec::new();
        self.keys.intern(keys, rows.rows(), &mut ids)?;
        self.latest.resize(self.latest.len().max(self.keys.bound()), ABSENT);
        let (starts, ends) = (times_ms(&columns[0])?, times_ms(&columns[1])?);
        let numbers = columns[2].as_primitive::<UInt64Type>().values();
        for (row, &key) in ids.iter().enumerate() {
            let span = Span { start: starts[row], end: ends[row] };
            self.restore(key, span, numbers[row]);
        }
        Ok(true)
    }

    fn restore(&mut self, key: u32, span: Span, number: u64) {
        let session = self.ids.allocate();
        let slot = Slot { span, key, merged_into: ABSENT, timer: span.end, number };
        match self.slots.get_mut(session as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.timers.push(Reverse((span.end, session)));
        self.opened = self.opened.max(number + 1);
        let latest = self.latest[key as usize];
        let start = |session: u32| self.slots[session as usize].span.start;
        if latest != ABSENT && start(latest) > span.start {
            self.older.insert((key, span.start), session);
            return;
        }
        if latest != ABSENT {
            self.older.insert((key, start(latest)), latest);
        }
        self.latest[key as usize] = session;
    }

    /// The sessions that rows of other tables name.
    pub(super) fn named(&self, keys: &[ArrayRef], starts: &ArrayRef) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.keys.lookup(keys, starts.len(), &mut ids)?;
        let session = |(&key, &start): (&u32, &i64)| {
            let latest = self.latest.get(key as usize).copied().filter(|&s| s != ABSENT)?;
            if self.slots[latest as usize].span.start == start {
                return Some(latest);
            }
            self.older.get(&(key, start)).copied()
        };
        let starts = times_ms(starts)?;
        let sessions = ids.iter().zip(starts.iter()).map(session).collect::<Option<Vec<u32>>>();
        sessions.ok_or_else(|| Error::internal("rows of a session that is not open"))
    }
}
