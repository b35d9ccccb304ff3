//! What is kept of a key between two steps: its runs, and the rows they have taken.
//! Invariant: nothing is kept of a key but runs that have started, matches that wait, and their rows; positions count
//! from the first row kept.

use super::arena::{Arena, Item, NOBODY};
use super::automaton::{Automaton, FINAL};
use super::queue::{Entry, NOT_STARTED, Queue};
use super::running::Running;
use super::slots::{Held, UNSET};

/// No deadline.
pub(super) const NEVER: i64 = i64::MAX;

/// A run's words before its begins: its state, the variable that took its last row, that variable's group.
const RUN_WORDS: usize = 3;
/// A match's: the end.
const MATCH_WORDS: usize = 1;

/// A run, as it is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) state: u16,
    /// The variable that took its last row.
    pub(super) made_by: u16,
    /// The group of that variable's aggregates, if it has any.
    pub(super) group: u32,
    pub(super) begins: &'a [u32],
}

impl<'a> Run<'a> {
    fn new(words: &'a [u32]) -> Self {
        Self {
            state: words[0] as u16,
            made_by: words[1] as u16,
            group: words[2],
            begins: &words[RUN_WORDS..],
        }
    }
}

/// A key's part of the state.
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
        self.runs.len() / (RUN_WORDS + width)
    }

    /// In the order of the heap's array.
    pub(super) fn each_run(&self, width: usize) -> impl Iterator<Item = Run<'_>> {
        self.runs.chunks_exact(RUN_WORDS + width).map(Run::new)
    }

    /// The run at a place of the heap's array.
    pub(super) fn run(&self, at: usize, width: usize) -> Option<Run<'_>> {
        self.runs.chunks_exact(RUN_WORDS + width).nth(at).map(Run::new)
    }

    /// The ends and begins of matches that wait, in the order of the heap's array.
    pub(super) fn each_match(&self, width: usize) -> impl Iterator<Item = &[u32]> {
        self.done.chunks_exact(MATCH_WORDS + width)
    }

    /// Puts a run behind the others.
    pub(super) fn add_run(
        &mut self,
        state: u16,
        made_by: u16,
        group: u32,
        begins: impl Iterator<Item = u32>,
    ) {
        self.runs.extend([state.into(), made_by.into(), group]);
        self.runs.extend(begins);
    }

    /// Puts a match behind the others.
    pub(super) fn add_match(&mut self, words: impl Iterator<Item = u32>) {
        self.done.extend(words);
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
    pub(super) fn load(
        &self,
        item: &mut Item,
        index: u32,
        arena: &mut Arena,
        running: &mut Running,
        width: usize,
    ) {
        item.partial = queue(&self.runs, RUN_WORDS, width, |words, begins| {
            if begins[0] == UNSET {
                return UNSET;
            }
            let node = arena.add(index, words[0] as u16, item.first_new, begins);
            let (made_by, group) = (words[1] as u16, words[2]);
            arena.set_group(node, made_by, group);
            if group != UNSET {
                running.lend(made_by, group);
            }
            node
        });
        if item.partial.peek().is_none() {
            item.partial.push(Entry { start: NOT_STARTED, node: UNSET });
        }
        item.done = queue(&self.done, MATCH_WORDS, width, |words, begins| {
            arena.add(index, FINAL, words[0], begins)
        });
    }

    /// Takes back what lives, with the groups in use; returns how many rows do not.
    pub(super) fn store(
        &mut self,
        item: &mut Item,
        arena: &Arena,
        automaton: &Automaton,
        groups: &mut Vec<(u16, u32)>,
    ) -> usize {
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
                    self.runs.extend([automaton.start.into(), NOBODY.into(), UNSET]);
                    self.runs.extend(std::iter::repeat_n(UNSET, automaton.width()));
                } else {
                    let node = arena.node(entry.node);
                    if node.group != UNSET {
                        groups.push((node.made_by, node.group));
                    }
                    self.runs.extend([node.state.into(), node.made_by.into(), node.group]);
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
        let starts = self.runs.chunks_exact(RUN_WORDS + width).map(|words| words[RUN_WORDS]);
        match (starts.min(), within_ms) {
            (Some(start), Some(within)) if start != UNSET => {
                self.rows[start as usize].time.saturating_add(within)
            }
            _ => NEVER,
        }
    }
}

/// Runs of `lead` words and their begins as a queue.
fn queue(
    words: &[u32],
    lead: usize,
    width: usize,
    mut node: impl FnMut(&[u32], &[u32]) -> u32,
) -> Queue {
    let mut queue = Queue::default();
    for words in words.chunks_exact(lead + width) {
        let (words, begins) = words.split_at(lead);
        // UNSET and NOT_STARTED are the same number.
        queue.push(Entry { start: begins[0], node: node(words, begins) });
    }
    queue
}
