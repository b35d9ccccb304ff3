//! Where the rows of the simulated pipeline come from: memory, or a topic of the embedded broker or a folder that somebody of the
//! process writes at the same time.
//! Invariant: rows come in the order of the input. What was acknowledged to the writer is there in every later life.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use futures::future::{BoxFuture, FutureExt as _};
use mainstem_connectors::api::{Fetched, Position, SplitReader};
use mainstem_core::clock::Rng;
use mainstem_core::ingest::{Decode, Decoded};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::manifest::SplitRecord;

use super::connected::{Connected, Done};
use super::file_inlet::FileInlet;
use super::plan::{Row, batch};

/// The way in.
pub(super) enum Inlet {
    Memory,
    Topic(Box<TopicInlet>),
    Files(Box<FileInlet>),
}

type Reading = BoxFuture<'static, (Box<dyn SplitReader>, Result<Option<Fetched>>)>;

/// A topic that is written and read.
pub(super) struct TopicInlet {
    writer: Connected,
    /// So many rows are in the topic, or on their way.
    sent: usize,
    reading: Reading,
    decoder: Box<dyn Decode>,
    ready: VecDeque<(Batch, usize)>,
}

fn read(mut reader: Box<dyn SplitReader>) -> Reading {
    async move {
        let fetched = reader.next().await;
        (reader, fetched)
    }
    .boxed()
}

impl TopicInlet {
    /// `sent` rows are in the topic.
    pub(super) fn new(
        writer: Connected,
        sent: usize,
        reader: Box<dyn SplitReader>,
        decoder: Box<dyn Decode>,
    ) -> Self {
        Self { writer, sent, reading: read(reader), decoder, ready: VecDeque::new() }
    }

    /// Writes or reads a little; so many rows are acknowledged.
    fn advance(&mut self, input: &[Row], rng: &mut Rng, now_ms: i64) -> Result<Option<usize>> {
        if rng.below(2) == 0 {
            return self.fetch(now_ms).map(|()| None);
        }
        if self.writer.is_idle() && self.sent < input.len() {
            let end = input.len().min(self.sent + 1 + rng.below(12) as usize);
            self.writer.write(&batch(&input[self.sent..end]))?;
            self.writer.flush(end);
            self.sent = end;
        }
        match self.writer.advance(rng)? {
            Some(Done::Flushed(rows)) => Ok(Some(rows)),
            _ => Ok(None),
        }
    }

    fn fetch(&mut self, now_ms: i64) -> Result<()> {
        let polled = self.reading.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready((reader, fetched)) = polled else { return Ok(()) };
        self.reading = read(reader);
        let fetched = fetched?.ok_or_else(|| Error::internal("a topic has no end"))?;
        let mut decoded = Decoded::default();
        self.decoder.decode(fetched.payload, now_ms, &mut decoded)?;
        let end = rows_before(&fetched.position)?;
        let mut at = end - decoded.batches.iter().map(Batch::rows).sum::<usize>();
        for rows in decoded.batches {
            at += rows.rows();
            self.ready.push_back((rows, at));
        }
        Ok(())
    }
}

impl Inlet {
    /// Goes on a little, beside the steps; so many rows are acknowledged to their writer.
    pub(super) fn advance(
        &mut self,
        input: &[Row],
        rng: &mut Rng,
        now_ms: i64,
    ) -> Result<Option<usize>> {
        match self {
            Self::Memory => Ok(None),
            Self::Topic(topic) => topic.advance(input, rng, now_ms),
            Self::Files(files) => files.advance(input, rng, now_ms),
        }
    }

    /// The next rows after the first `at`, and how many there are before what follows.
    pub(super) fn take(&mut self, input: &[Row], at: usize, rng: &mut Rng) -> (Batch, usize) {
        match self {
            Self::Memory => {
                let end = input.len().min(at + rng.below(12) as usize);
                (batch(&input[at..end]), end)
            }
            Self::Topic(topic) => topic.ready.pop_front().unwrap_or_else(|| (batch(&[]), at)),
            Self::Files(files) => {
                let rows = files.take();
                let end = at + rows.rows();
                (rows, end)
            }
        }
    }

    /// The splits of which more than the number of rows has to be known to go on.
    pub(super) fn splits(&self) -> Vec<SplitRecord> {
        match self {
            Self::Memory | Self::Topic(_) => Vec::new(),
            Self::Files(files) => files.splits(),
        }
    }
}

/// How many rows are before a position.
fn rows_before(position: &Position) -> Result<usize> {
    let bytes = position.0.as_slice().try_into();
    let bytes = bytes.map_err(|_| Error::internal("an offset is not 8 bytes"))?;
    Ok(u64::from_le_bytes(bytes) as usize)
}
