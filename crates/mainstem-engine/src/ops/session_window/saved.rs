//! The open sessions as rows of a table, and how rows of other tables name them: by key and start, which no two open
//! sessions have in common.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, UInt64Array};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableRows, TableShape};

use super::sessions::{Sessions, Slot};
use crate::columns::{times_ms, timestamps};
use crate::key_table::ABSENT;
use crate::window::Span;

/// Keys, start, end, number.
const SESSIONS: &str = "sessions";

impl Sessions {
    /// The open sessions, in the order in which they were opened.
    pub(super) fn open_sessions(&self) -> Vec<u32> {
        let mut sessions = self.ids.used();
        sessions.sort_unstable_by_key(|&session| self.slots[session as usize].number);
        sessions
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

    /// The tables of `sessions`, which are all that are open.
    pub(super) fn save(&self, sessions: &[u32]) -> Result<Vec<TableRows>> {
        let slots = sessions.iter().map(|&session| &self.slots[session as usize]);
        let mut columns = self.names(sessions)?.into_columns();
        columns.push(timestamps(slots.clone().map(|slot| slot.span.end).collect()));
        columns.push(Arc::new(UInt64Array::from_iter_values(slots.map(|slot| slot.number))));
        let shape = TableShape::keyed(SESSIONS, (0..self.key_width()).collect());
        let rows = Batch::new(columns, sessions.len());
        Ok(vec![self.passed.save(), shape.with_rows(vec![rows])])
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
