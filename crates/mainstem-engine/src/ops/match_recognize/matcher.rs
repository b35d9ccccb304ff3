//! The runs of one key, row by row: which live, which are matches, what a match takes with it.
//! Invariant: a match is told as soon as no run that started before it can still become one (Flink's order), and
//! exactly once; what AFTER MATCH SKIP skips is gone in the same moment.

use mainstem_core::{Error, Result};

use super::arena::{Arena, Item};
use super::automaton::FINAL;
use super::queue::{Entry, NOT_STARTED, Queue};
use super::slots::UNSET;
use crate::match_recognize::{AfterMatch, MatchSpec};

/// A match that is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Index of its key's item.
    pub(super) item: u32,
    /// Its node.
    pub(super) node: u32,
    /// When it was found.
    pub(super) time: i64,
}

/// One key's part of a pass.
pub(super) struct Matcher<'a> {
    pub(super) spec: &'a MatchSpec,
    pub(super) arena: &'a mut Arena,
    pub(super) item: &'a mut Item,
    pub(super) index: u32,
    pub(super) found: &'a mut Vec<Found>,
    /// Empty, for the runs that a row makes and the matches.
    pub(super) scratch: &'a mut [Queue; 2],
}

impl Matcher<'_> {
    /// Takes all new rows of the item.
    pub(super) fn take_rows(&mut self) -> Result<()> {
        let [mut partial, mut complete] = std::mem::take(self.scratch);
        for position in self.item.first_new..self.item.rows.len() as u32 {
            let time = self.item.rows[position as usize].time;
            self.advance_time(time)?;
            partial.clear();
            complete.clear();
            for at in 0..self.item.partial.entries().len() {
                let entry = self.item.partial.entries()[at];
                let starts = entry.start == NOT_STARTED;
                let node = if starts {
                    self.item.start_node + (position - self.item.first_new)
                } else {
                    entry.node
                };
                for child in self.arena.children(node)? {
                    let start = if starts { position } else { entry.start };
                    let run = Entry { start, node: child };
                    if self.arena.node(child).state == FINAL {
                        complete.push(run);
                    } else {
                        partial.push(run);
                    }
                }
                if starts {
                    partial.push(entry);
                }
            }
            std::mem::swap(&mut self.item.partial, &mut partial);
            for &run in complete.entries() {
                self.item.done.push(run);
            }
            self.tell(|_| time)?;
        }
        *self.scratch = [partial, complete];
        Ok(())
    }

    /// Gives up the runs that are too old at `time`, and tells the matches that waited for them.
    pub(super) fn advance_time(&mut self, time: i64) -> Result<()> {
        let Some(within) = self.spec.within_ms else { return Ok(()) };
        let rows = &self.item.rows;
        let end = |run: &Entry| rows[run.start as usize].time.saturating_add(within);
        let is_over = |run: &Entry| run.start != NOT_STARTED && end(run) <= time;
        let entries = self.item.partial.entries();
        let over: Vec<(u32, i64)> =
            entries.iter().filter(|r| is_over(r)).map(|r| (r.start, end(r))).collect();
        if over.is_empty() {
            return Ok(());
        }
        let mut partial = Queue::default();
        for &run in entries.iter().filter(|run| !is_over(run)) {
            partial.push(run);
        }
        self.item.partial = partial;
        // The last of the runs that it waited for set it free.
        self.tell(|start| {
            let before = over.iter().filter(|(first, _)| *first < start);
            before.map(|(_, end)| *end).max().unwrap_or(time)
        })
    }

    /// Tells all matches that wait for no run before them; `time_of` the first row's position is when.
    fn tell(&mut self, time_of: impl Fn(u32) -> i64) -> Result<()> {
        while let Some(run) = self.item.done.peek() {
            if self.item.partial.peek().is_some_and(|earliest| earliest.start < run.start) {
                return Ok(());
            }
            self.item.done.poll();
            let next = self.skip_to(run)?;
            self.item.partial.remove_before(next);
            self.item.done.remove_before(next);
            self.found.push(Found { item: self.index, node: run.node, time: time_of(run.start) });
        }
        Ok(())
    }

    /// The first position at which a run may have started to outlive the match `run`.
    fn skip_to(&self, run: Entry) -> Result<u32> {
        let end = self.arena.node(run.node).next;
        let (variable, is_first) = match self.spec.skip {
            AfterMatch::PastLastRow => return Ok(end),
            AfterMatch::NextRow => return Ok(run.start + 1),
            AfterMatch::ToFirst(variable) => (variable, true),
            AfterMatch::ToLast(variable) => (variable, false),
        };
        let begins = self.arena.begins(run.node);
        let begin = begins[variable];
        let behind = begins.get(variable + 1).copied().filter(|begin| *begin != UNSET);
        let behind = behind.unwrap_or(end);
        let name = &self.spec.variables[variable].name;
        if begin == UNSET || begin == behind {
            return Err(Error::user(format!(
                "AFTER MATCH SKIP TO {name}: a match was found in which {name} has no row"
            ))
            .with_hint("skip to a variable that every match has, or use SKIP TO NEXT ROW"));
        }
        let to = if is_first { begin } else { behind - 1 };
        if to == run.start {
            return Err(Error::user(format!(
                "AFTER MATCH SKIP TO {name} would search again at the first row of the match, for ever"
            ))
            .with_hint("skip to a variable behind the first one, or use SKIP TO NEXT ROW"));
        }
        Ok(to)
    }
}
