//! Steps cut where a test wants them: everything is held back until all inputs have ended, and then played in small
//! pieces, one row at a time or in random handfuls.
//! Invariant: the pieces of a source are played in the order in which they came, each once; the cuts follow from the
//! seed and the data alone, so that a run can be repeated. A step that is cut here is one that could have been cut by
//! the arrival of the rows. Not for inputs that do not end, nor for such that do not fit in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use mainstem_core::clock::Rng;
use mainstem_core::ingest::{LineNumber, Lines, Payload, RowRange, Unread};

use crate::cutter::Assigned;
use crate::ops::watermark::SplitEvents;
use crate::port::{Event, InputPort};

/// Where the steps of a job are cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cuts {
    /// After what has arrived: how jobs run.
    #[default]
    AsItComes,
    /// For tests: the input is held until it has ended; then each step takes one row of one source, and the sources
    /// take turns.
    EachRow,
    /// For tests: the input is held until it has ended; then each step takes some rows of some sources.
    Random {
        /// The same seed cuts the same input in the same places.
        seed: u64,
    },
}

/// What has arrived at one source and was not played yet.
#[derive(Debug, Default)]
struct Held {
    events: VecDeque<Event>,
    /// All of it has arrived.
    complete: bool,
    /// The end was played.
    finished: bool,
}

/// Holds the input and plays it.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    sources: Vec<Held>,
    rng: Rng,
    /// Rows of a source that a step takes, on average.
    rows_mean: u64,
    each_row: bool,
    /// Whose turn it is, one row at a time.
    turn: usize,
}

impl Rehearsal {
    /// `None` if the steps are to be cut as the input comes.
    pub(crate) fn new(cuts: Cuts, sources: usize) -> Option<Self> {
        let (seed, each_row) = match cuts {
            Cuts::AsItComes => return None,
            Cuts::EachRow => (0, true),
            Cuts::Random { seed } => (seed, false),
        };
        let mut rng = Rng::new(seed);
        let rows_mean = [1, 3, 10, 40][rng.below(4) as usize];
        let sources = std::iter::repeat_with(Held::default).take(sources).collect();
        Some(Self { sources, rng, rows_mean, each_row, turn: 0 })
    }

    /// What the next step takes: nothing as long as more may arrive.
    pub(crate) fn take(&mut self, ports: &[Arc<InputPort>]) -> (Vec<SplitEvents>, Vec<Assigned>) {
        for (held, port) in self.sources.iter_mut().zip(ports) {
            held.fill(port);
        }
        let mut headers = vec![SplitEvents::default(); self.sources.len()];
        let mut all = Vec::new();
        if self.sources.iter().all(|held| held.complete) {
            self.play(&mut headers, &mut all);
        }
        for (header, held) in headers.iter_mut().zip(&self.sources) {
            header.finished = held.finished;
        }
        (headers, all)
    }

    fn play(&mut self, headers: &mut [SplitEvents], all: &mut Vec<Assigned>) {
        let count = self.sources.len();
        let open = |source: &usize| !self.sources[*source].finished;
        if self.each_row {
            let mut turns = (self.turn..count).chain(0..self.turn.min(count));
            if let Some(source) = turns.find(open) {
                self.turn = source + 1;
                self.sources[source].play(source, 1, &mut headers[source], all);
            }
            return;
        }
        let open: Vec<usize> = (0..count).filter(open).collect();
        if open.is_empty() {
            return;
        }
        // One source at least has something to say in each step; the others may be silent.
        let chosen = open[self.rng.below(open.len() as u64) as usize];
        for source in open {
            if source == chosen || self.rng.below(2) == 0 {
                let rows = 1 + self.rng.below(2 * self.rows_mean);
                self.sources[source].play(source, rows, &mut headers[source], all);
            }
        }
    }
}

impl Held {
    fn fill(&mut self, port: &InputPort) {
        while !self.complete {
            let taken = port.take(usize::MAX, usize::MAX);
            self.complete = taken.finished;
            if taken.events.is_empty() {
                return;
            }
            for event in taken.events {
                match event {
                    Event::Payload { split, payload, bytes, .. } => {
                        let pieces = pieces(payload);
                        let share = bytes / pieces.len();
                        let first = bytes - share * (pieces.len() - 1);
                        for (index, payload) in pieces.into_iter().enumerate() {
                            let bytes = if index == 0 { first } else { share };
                            self.events.push_back(Event::Payload {
                                split,
                                payload,
                                bytes,
                                position: None,
                            });
                        }
                    }
                    other => self.events.push_back(other),
                }
            }
        }
    }

    /// Plays `rows` pieces and what stands before, between and right after them; the end if nothing is left.
    fn play(
        &mut self,
        source: usize,
        mut rows: u64,
        header: &mut SplitEvents,
        all: &mut Vec<Assigned>,
    ) {
        if self.events.is_empty() {
            self.finished = true;
        }
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::Payload { split, payload, bytes, .. } if rows > 0 => {
                    rows -= 1;
                    all.push(Assigned { source, split, payload, bytes });
                }
                Event::Added(split) if header.ended.is_empty() => header.added.push(split),
                Event::Ended(split) => header.ended.push(split),
                // A step adds splits before it ends some.
                Event::Payload { .. } | Event::Added(_) => {
                    self.events.push_front(event);
                    return;
                }
            }
        }
    }
}

/// The payload row by row, where it can be cut so; never empty.
fn pieces(payload: Payload) -> Vec<Payload> {
    match payload {
        Payload::Unread(unread) => unread_lines(unread),
        Payload::Lines(lines) => {
            line_ends(&lines.data).scan(0, |start, end| Some(line(&lines, start, end))).collect()
        }
        Payload::Rows(RowRange { first, count, at_ms }) if count > 1 => (first
            ..first + u64::from(count))
            .map(|first| Payload::Rows(RowRange { first, count: 1, at_ms }))
            .collect(),
        Payload::Batch(batch) if batch.rows() > 1 => {
            (0..batch.rows()).map(|row| Payload::Batch(batch.slice(row, 1))).collect()
        }
        whole => vec![whole],
    }
}

/// Where lines end, with their line feeds; the last one may lack its.
fn line_ends(data: &[u8]) -> impl Iterator<Item = usize> {
    let inner = data.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    inner.filter(move |end| *end < data.len()).chain([data.len()])
}

fn line(lines: &Lines, start: &mut usize, end: usize) -> Payload {
    let first_line = if *start == 0 { lines.first_line.clone() } else { LineNumber::Unknown };
    let data = lines.data.slice(*start..end);
    *start = end;
    Payload::Lines(Lines { data, path: Arc::clone(&lines.path), first_line })
}

/// A range that cannot be read stays whole: whoever decodes it says what is wrong.
fn unread_lines(mut rest: Unread) -> Vec<Payload> {
    let mut data = vec![0; rest.size_bytes()];
    let mut filled = 0;
    while filled < data.len() {
        match rest.file.read_at(rest.range.start + filled as u64, &mut data[filled..]) {
            Ok(read @ 1..) => filled += read,
            _ => return vec![Payload::Unread(rest)],
        }
    }
    let (mut pieces, mut start) = (Vec::new(), 0);
    for end in line_ends(&data) {
        let behind = rest.split_off(end - start);
        pieces.push(Payload::Unread(std::mem::replace(&mut rest, behind)));
        start = end;
    }
    pieces
}

#[cfg(test)]
mod tests;
