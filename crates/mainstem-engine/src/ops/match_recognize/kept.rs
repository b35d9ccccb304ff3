//! What is kept of a key between two steps: its runs, and the rows they have taken.
//! Invariant: nothing is kept of a key but runs that have started, matches that wait, and their rows; positions count
//! from the first row kept.

use super::arena::{Arena, Item};
use super::automaton::Automaton;
use super::queue::{Entry, NOT_STARTED, Queue};
use super::slots::{Held, UNSET};

/// No deadline.
pub(super) const NEVER: i64 = i64::MAX;

/// A key's part of the state. Runs are `width + 1` words each: the state (of matches: the end), then the begins.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) rows: Vec<Held>,
    /// In the order of the heap's array; empty: only the run that has not started.
    runs: Vec<u32>,
    done: Vec<u32>,
    /// The deadline that the operator knows of.
    pub(super) armed: i64,
}

impl Default for Kept {
    fn default() -> Self {
        Self { rows: Vec::new(), runs: Vec::new(), done: Vec::new(), armed: NEVER }
    }
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many runs there are.
    pub(super) fn runs(&self, width: usize) -> usize {
        self.runs.len() / (width + 1)
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Held>() + (self.runs.capacity() + self.done.capacity()) * 4
    }

    /// Moves the rows into `item`.
    pub(super) fn lend_rows(&mut self, item: &mut Item) {
        item.rows = std::mem::take(&mut self.rows);
        item.first_new = item.rows.len() as u32;
    }

    /// Makes nodes of the runs.
    pub(super) fn load(&self, item: &mut Item, index: u32, arena: &mut Arena, width: usize) {
        item.partial = queue(&self.runs, width, |words| {
            if words[1] == UNSET {
                return UNSET;
            }
            arena.add(index, words[0] as u16, item.first_new, &words[1..])
        });
        if item.partial.peek().is_none() {
            item.partial.push(Entry { start: NOT_STARTED, node: UNSET });
        }
        item.done = queue(&self.done, width, |words| {
            arena.add(index, super::automaton::FINAL, words[0], &words[1..])
        });
    }

    /// Takes back what lives; returns how many rows do not.
    pub(super) fn store(&mut self, item: &mut Item, arena: &Arena, automaton: &Automaton) -> usize {
        let started = |queue: &Queue| {
            queue.entries().iter().map(|e| e.start).filter(|s| *s != NOT_STARTED).min()
        };
        let first = started(&item.partial).into_iter().chain(started(&item.done)).min();
        let dropped = first.map_or(item.rows.len(), |first| first as usize);
        self.runs.clear();
        self.done.clear();
        if first.is_some() {
            let moved = |begin: &u32| if *begin == UNSET { UNSET } else { begin - dropped as u32 };
            for entry in item.partial.entries() {
                if entry.start == NOT_STARTED {
                    self.runs.push(automaton.start.into());
                    self.runs.extend(std::iter::repeat_n(UNSET, automaton.width()));
                } else {
                    self.runs.push(arena.node(entry.node).state.into());
                    self.runs.extend(arena.begins(entry.node).iter().map(moved));
                }
            }
            for entry in item.done.entries() {
                self.done.push(arena.node(entry.node).next - dropped as u32);
                self.done.extend(arena.begins(entry.node).iter().map(moved));
            }
        }
        item.rows.drain(..dropped);
        self.rows = std::mem::take(&mut item.rows);
        dropped
    }

    /// When the oldest run is too old.
    pub(super) fn deadline(&self, within_ms: Option<i64>, width: usize) -> i64 {
        let starts = self.runs.chunks_exact(width + 1).map(|words| words[1]);
        match (starts.min(), within_ms) {
            (Some(start), Some(within)) if start != UNSET => {
                self.rows[start as usize].time.saturating_add(within)
            }
            _ => NEVER,
        }
    }
}

fn queue(words: &[u32], width: usize, mut node: impl FnMut(&[u32]) -> u32) -> Queue {
    let mut queue = Queue::default();
    for words in words.chunks_exact(width + 1) {
        // UNSET and NOT_STARTED are the same number.
        queue.push(Entry { start: words[1], node: node(words) });
    }
    queue
}
