//! Cuts one step through all sources of a pipeline, on worker 0, and deals the payloads to the workers.
//! Invariant: a payload is in exactly one step; payloads of a source reach workers in contiguous pieces, so reading
//! the workers in order is reading the source in order. All workers get about the same number of bytes: what has not
//! been read yet is cut between them. When there is nothing to do the thread is parked.

use std::sync::Arc;
use std::time::Duration;

use mainstem_core::clock::Clock;
use mainstem_core::ingest::Payload;

use crate::checkpoint::{CutPlace, SplitPositions};
use crate::lookup::{Answer, LookupPort};
use crate::ops::watermark::SplitEvents;
use crate::port::{Event, InputPort};
use crate::rehearsal::Rehearsal;
use crate::signal::Signal;
use crate::worker::StepHeader;

/// A payload for a worker.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) source: usize,
    pub(crate) split: u32,
    pub(crate) payload: Payload,
    pub(crate) bytes: usize,
}

/// A step, ready to be run.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) header: StepHeader,
    /// For each worker, in order.
    pub(crate) payloads: Vec<Vec<Assigned>>,
    /// With the index of the lookup that they are for.
    pub(crate) answers: Vec<(usize, Answer)>,
    /// There is no step after this one.
    pub(crate) last: bool,
}

/// What the outside asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    Run,
    /// Handle what is in the ports, then stop.
    Drain,
    /// The same, and then treat it as the end of input.
    DrainAndClose,
    Stop,
}

/// Rows that wait for answers of tables outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    None,
    Some,
    /// So many that no more are to come.
    TooMany,
}

pub(crate) struct Cutter {
    pub(crate) ports: Vec<Arc<InputPort>>,
    pub(crate) lookups: Vec<Arc<LookupPort>>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) workers: usize,
    pub(crate) bytes_max: usize,
    pub(crate) rows_max: usize,
    pub(crate) finished: Vec<bool>,
    pub(crate) started: bool,
    /// A step without a step after it was cut, unless rows wait.
    pub(crate) ended: bool,
    /// Processing time never goes back.
    pub(crate) now_ms: i64,
    /// How far each split of each source was taken.
    pub(crate) positions: Vec<SplitPositions>,
    /// The greatest number of a checkpoint that was cut.
    pub(crate) checkpoint: u64,
    /// A test says where steps are cut.
    pub(crate) rehearsal: Option<Rehearsal>,
}

impl Cutter {
    /// The next step; parks until there is one. While the workers are `busy` with something else, a step that is none comes
    /// instead of waiting. `None`: stop.
    pub(crate) fn next(
        &mut self,
        next_timer_ms: Option<i64>,
        waiting: Waiting,
        request: impl Fn() -> Request,
        checkpoint: impl Fn() -> u64,
        busy: impl Fn() -> bool,
    ) -> Option<Cut> {
        loop {
            // Looked at before the ports, so that what came before the request is handled.
            let asked = request();
            if asked == Request::Stop {
                return None;
            }
            let checkpoint = Some(checkpoint()).filter(|&number| number > self.checkpoint);
            self.now_ms = self.now_ms.max(self.clock.now_ms());
            let mut cut = self.take(waiting != Waiting::TooMany);
            let idle = cut.answers.is_empty()
                && cut.payloads.iter().all(Vec::is_empty)
                && cut.header.sources.iter().zip(&self.finished).all(|(events, &before)| {
                    events.added.is_empty() && events.ended.is_empty() && events.finished == before
                });
            for (before, events) in self.finished.iter_mut().zip(&cut.header.sources) {
                *before = events.finished;
            }
            let due = next_timer_ms.is_some_and(|timer| timer <= self.now_ms);
            let waits = waiting != Waiting::None;
            if idle && !waits && asked == Request::Drain {
                return None;
            }
            // Too many wait: the ports were not looked into.
            let drained = idle && waiting != Waiting::TooMany;
            if self.ended || (drained && asked == Request::DrainAndClose) {
                cut.header.sources.iter_mut().for_each(|events| events.finished = true);
            }
            cut.last = cut.header.sources.iter().all(|events| events.finished);
            let wanted = checkpoint.is_some() || !self.started;
            if !idle || due || wanted || (cut.last && !self.ended) {
                self.started = true;
                self.checkpoint = checkpoint.unwrap_or(self.checkpoint);
                cut.header.checkpoint = checkpoint;
                self.ended = cut.last;
                return Some(cut);
            }
            if busy() {
                cut.header.is_pause = true;
                return Some(cut);
            }
            let timeout = next_timer_ms.map(|timer| (timer - self.now_ms).max(1) as u64);
            self.signal.wait(timeout.map(Duration::from_millis));
        }
    }

    /// Where the next step begins.
    pub(crate) fn place(&self) -> CutPlace {
        let finished = self.finished.iter().copied();
        let sources = self.positions.iter().cloned().zip(finished).collect();
        CutPlace { sources, now_ms: self.now_ms, ended: false }
    }

    /// Takes what has arrived; payloads only if rows are `wanted`.
    fn take(&mut self, wanted: bool) -> Cut {
        let lookups = self.lookups.iter().enumerate();
        let answers: Vec<(usize, Answer)> = lookups
            .flat_map(|(lookup, port)| port.take_answers().into_iter().map(move |a| (lookup, a)))
            .collect();
        if !wanted {
            let events = |&finished: &bool| SplitEvents { finished, ..SplitEvents::default() };
            let sources = self.finished.iter().map(events).collect();
            let header = StepHeader { now_ms: self.now_ms, sources, ..StepHeader::default() };
            return Cut { header, payloads: deal(Vec::new(), self.workers), answers, last: false };
        }
        if let Some(rehearsal) = &mut self.rehearsal {
            let (sources, all) = rehearsal.take(&self.ports);
            let header = StepHeader { now_ms: self.now_ms, sources, ..StepHeader::default() };
            return Cut { header, payloads: deal(all, self.workers), answers, last: false };
        }
        let mut header = StepHeader { now_ms: self.now_ms, ..StepHeader::default() };
        let mut all = Vec::new();
        for (source, port) in self.ports.iter().enumerate() {
            let taken = port.take(self.bytes_max, self.rows_max);
            let mut events = SplitEvents { finished: taken.finished, ..SplitEvents::default() };
            for event in taken.events {
                match event {
                    Event::Added(split) => {
                        self.positions[source].entry(split).or_default();
                        events.added.push(split);
                    }
                    Event::Ended(split) => {
                        self.positions[source].entry(split).or_default().ended = true;
                        events.ended.push(split);
                    }
                    Event::Payload { split, payload, bytes, position } => {
                        if let Some(position) = position {
                            self.positions[source].entry(split).or_default().position =
                                Some(position);
                        }
                        all.push(Assigned { source, split, payload, bytes });
                    }
                }
            }
            header.sources.push(events);
        }
        Cut { header, payloads: deal(all, self.workers), answers, last: false }
    }
}

/// A smaller piece of something unread is not worth handing to another worker.
const SHARE_BYTES_MIN: usize = 64 << 10;

/// Cuts the payloads into one contiguous piece per worker, of about the same number of bytes.
fn deal(all: Vec<Assigned>, workers: usize) -> Vec<Vec<Assigned>> {
    let total: usize = all.iter().map(|payload| payload.bytes.max(1)).sum();
    let mut pieces: Vec<Vec<Assigned>> = std::iter::repeat_with(Vec::new).take(workers).collect();
    let (mut before, mut worker) = (0, 0);
    for mut rest in all {
        while let Payload::Unread(unread) = &mut rest.payload {
            worker = worker.max((before * workers / total).min(workers - 1));
            let share = (total * (worker + 1)).div_ceil(workers) - before;
            if share.saturating_add(SHARE_BYTES_MIN) > rest.bytes || share < SHARE_BYTES_MIN {
                break;
            }
            let behind = Payload::Unread(unread.split_off(share));
            let payload = std::mem::replace(&mut rest.payload, behind);
            rest.bytes -= share;
            before += share;
            let Assigned { source, split, .. } = rest;
            pieces[worker].push(Assigned { source, split, payload, bytes: share });
        }
        let size = rest.bytes.max(1);
        let middle = before + size / 2;
        before += size;
        worker = worker.max((middle * workers / total).min(workers - 1));
        pieces[worker].push(rest);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use mainstem_core::Result;
    use mainstem_core::ingest::{RandomAccess, RowRange, Unread};

    use super::*;

    #[derive(Debug)]
    struct Nothing(Arc<str>);

    impl RandomAccess for Nothing {
        fn path(&self) -> &Arc<str> {
            &self.0
        }

        fn read_at(&self, _: u64, _: &mut [u8]) -> Result<usize> {
            Ok(0)
        }

        fn line_at(&self, _: u64) -> Result<u64> {
            Ok(1)
        }
    }

    fn unread(range: Range<u64>) -> Assigned {
        let bytes = (range.end - range.start) as usize;
        let file = Arc::new(Nothing("f".into()));
        Assigned { source: 0, split: 0, payload: Payload::Unread(Unread { file, range }), bytes }
    }

    fn rows(bytes: usize) -> Assigned {
        let rows = RowRange { first: 0, count: 1, at_ms: 0 };
        Assigned { source: 0, split: 0, payload: Payload::Rows(rows), bytes }
    }

    /// The bytes of what each worker got; unread ranges must follow each other.
    fn shares(all: Vec<Assigned>, workers: usize) -> Vec<Vec<usize>> {
        let mut at = 0;
        let mut bytes_of = |assigned: &Assigned| {
            if let Payload::Unread(unread) = &assigned.payload {
                assert_eq!(unread.range.start, at);
                assert_eq!(unread.size_bytes(), assigned.bytes);
                at = unread.range.end;
            }
            assigned.bytes
        };
        let dealt = deal(all, workers);
        dealt.iter().map(|piece| piece.iter().map(&mut bytes_of).collect()).collect()
    }

    #[test]
    fn workers_get_equal_shares_in_order() {
        const K: usize = 1 << 10;
        let whole = |ends: &[usize]| -> Vec<Assigned> {
            let starts = [0].into_iter().chain(ends.iter().copied());
            let range =
                |(start, end): (usize, &usize)| unread((start * K) as u64..(end * K) as u64);
            starts.zip(ends).map(range).collect()
        };
        for (all, workers, expected) in [
            (whole(&[4096]), 1, vec![vec![4096 * K]]),
            (whole(&[4096]), 2, vec![vec![2048 * K], vec![2048 * K]]),
            (whole(&[300]), 3, vec![vec![100 * K], vec![100 * K], vec![100 * K]]),
            (whole(&[100]), 2, vec![vec![], vec![100 * K]]),
            (whole(&[1000, 4000]), 2, vec![vec![1000 * K, 1000 * K], vec![2000 * K]]),
            (whole(&[1990, 4000]), 2, vec![vec![1990 * K], vec![2010 * K]]),
            (whole(&[3000, 4000]), 2, vec![vec![2000 * K], vec![1000 * K, 1000 * K]]),
            ((0..4).map(|_| rows(10)).collect(), 2, vec![vec![10, 10], vec![10, 10]]),
            ((0..3).map(|_| rows(10)).collect(), 2, vec![vec![10], vec![10, 10]]),
            (vec![rows(0)], 2, vec![vec![0], vec![]]),
        ] {
            assert_eq!(shares(all, workers), expected);
        }
    }
}
