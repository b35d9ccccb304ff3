//! The reader that all generators share: ranges of row numbers, handed out at a rate.
//! Invariant: a range is only numbers; the rows are made by the decoder on the engine's workers, each from its seed
//! and its number, so neither parallelism nor the cuts of ranges change them. The position is the next row's number.
//! Does not catch up without bound: a reader that was held up makes good for at most one second.

pub(crate) mod columns;
pub(crate) mod fields;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainstem_core::clock::Clock;
use mainstem_core::ingest::{Decode, Payload, RowRange};
use mainstem_core::options::{OptionReader, OptionSpec, OptionType, nearest, optional};
use mainstem_core::{Error, Result};
use tokio::time::Instant;

use crate::api::{Fetched, Position, Source, SourceRequest, Split, SplitReader};

/// Rows in a range when nothing slows the reader.
const RANGE_ROWS_MAX: u64 = 8192;
/// Ranges are handed out at most this often when a rate is set (a row at a time below 20 rows/s).
const TICK: Duration = Duration::from_millis(50);
/// How far behind its rate a reader may be and still make good for it.
const CATCH_UP: Duration = Duration::from_secs(1);

/// `rows-per-second` of datagen and faker.
pub(crate) const ROWS_PER_SECOND: OptionSpec = optional(
    "rows-per-second",
    OptionType::Integer,
    Some("10000"),
    "Rows a second, on average; -1 is as fast as they can be made.",
    "1000",
);
/// `number-of-rows` of all generators.
pub(crate) const NUMBER_OF_ROWS: OptionSpec = optional(
    "number-of-rows",
    OptionType::Integer,
    None,
    "How many rows in all; without it the source never ends.",
    "1000000",
);

/// How many rows and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pace {
    /// `None` is as fast as they can be made.
    pub(crate) rows_per_second: Option<u64>,
    /// `None` never ends.
    pub(crate) rows_max: Option<u64>,
}

impl Pace {
    /// Reads `rows-per-second` and `number-of-rows`.
    pub(crate) fn read(options: OptionReader<'_>) -> Result<Self> {
        Ok(Self {
            rows_per_second: rate(options, ROWS_PER_SECOND.name)?,
            rows_max: row_limit(options, NUMBER_OF_ROWS.name)?,
        })
    }

    /// The smaller of two limits.
    pub(crate) fn limited_to(mut self, rows: u64) -> Self {
        self.rows_max = Some(self.rows_max.map_or(rows, |max| max.min(rows)));
        self
    }
}

/// A rate in rows a second; -1 is none.
pub(crate) fn rate(options: OptionReader<'_>, name: &str) -> Result<Option<u64>> {
    match options.integer(name)? {
        None | Some(-1) => Ok(None),
        Some(rate @ 1..=1_000_000_000) => Ok(Some(rate.unsigned_abs())),
        Some(other) => Err(Error::user(format!("option '{name}' is {other}"))
            .with_hint("give 1 to 1000000000 rows a second, or -1 for as fast as possible")),
    }
}

/// A number of rows; -1 is no limit.
pub(crate) fn row_limit(options: OptionReader<'_>, name: &str) -> Result<Option<u64>> {
    match options.integer(name)? {
        None | Some(-1) => Ok(None),
        Some(rows) => u64::try_from(rows).map(Some).map_err(|_| {
            Error::user(format!("option '{name}' is {rows}"))
                .with_hint("give 0 or more rows, or -1 for no end")
        }),
    }
}

/// Refuses keys that are in no spec, with the nearest one that is.
pub(crate) fn refuse_unknown_options(
    request: &SourceRequest,
    specs: &[OptionSpec],
    connector: &str,
) -> Result<()> {
    for (key, value) in &request.table.options {
        if key == "connector" || key.starts_with("mainstem.") {
            continue;
        }
        let known = specs
            .iter()
            .find(|s| s.name.strip_suffix('*').map_or(s.name == key, |p| key.starts_with(p)));
        match known {
            Some(spec) => spec.kind.validate(key, value)?,
            None => {
                let error = Error::user(format!("connector '{connector}' has no option '{key}'"));
                return Err(match nearest(key, specs.iter().map(|s| s.name)) {
                    Some(name) => error.with_hint(format!("did you mean '{name}'?")),
                    None => error.with_hint(format!(
                        "its options are {}",
                        specs.iter().map(|s| s.name).collect::<Vec<_>>().join(", ")
                    )),
                });
            }
        }
    }
    Ok(())
}

/// A generator as a source: one split, whose decoders `make` builds.
pub(crate) struct GeneratorSource<F> {
    pace: Pace,
    clock: Arc<dyn Clock>,
    make: F,
}

impl<F> GeneratorSource<F>
where
    F: Fn() -> Box<dyn Decode> + Send,
{
    pub(crate) fn new(pace: Pace, clock: Arc<dyn Clock>, make: F) -> Self {
        Self { pace, clock, make }
    }
}

#[async_trait]
impl<F> Source for GeneratorSource<F>
where
    F: Fn() -> Box<dyn Decode> + Send,
{
    async fn discover(&mut self) -> Result<Vec<Split>> {
        Ok(vec![Split { id: "rows".to_owned() }])
    }

    async fn open(
        &mut self,
        _split: &Split,
        position: Option<&Position>,
    ) -> Result<Box<dyn SplitReader>> {
        let first = position.map_or(Ok(0), next_row)?;
        Ok(Box::new(RangeReader::new(self.pace, first, Arc::clone(&self.clock))))
    }

    fn decoder(&self) -> Result<Box<dyn Decode>> {
        Ok((self.make)())
    }
}

fn next_row(position: &Position) -> Result<u64> {
    position.0.as_slice().try_into().map(u64::from_le_bytes).map_err(|_| {
        Error::internal(format!(
            "a generator's position has {} bytes instead of 8",
            position.0.len()
        ))
    })
}

/// Hands out ranges of one split.
struct RangeReader {
    pace: Pace,
    clock: Arc<dyn Clock>,
    next: u64,
    ticks: Option<Ticks>,
}

/// The rate's book-keeping: rows released so far since `start`, and how many of those were handed out.
struct Ticks {
    start: Instant,
    last: Instant,
    released: u64,
    handed: u64,
}

impl RangeReader {
    fn new(pace: Pace, first: u64, clock: Arc<dyn Clock>) -> Self {
        Self { pace, clock, next: first, ticks: None }
    }

    /// Waits until rows are due and says how many. Cancel safe: nothing changes before the wait is over.
    async fn due(&mut self, rate: u64) -> u64 {
        let lead = (rate * TICK.as_millis() as u64 / 1000).max(1);
        let now = Instant::now();
        let ticks =
            self.ticks.get_or_insert(Ticks { start: now, last: now, released: lead, handed: 0 });
        if ticks.handed == ticks.released {
            let row = Duration::from_secs_f64((ticks.released + 1 - lead) as f64 / rate as f64);
            tokio::time::sleep_until((ticks.start + row).max(ticks.last + TICK)).await;
            let now = Instant::now();
            let due = rows_in(now - ticks.start, rate) + lead;
            let behind =
                Duration::from_secs_f64(due.saturating_sub(ticks.released) as f64 / rate as f64);
            if behind > CATCH_UP + TICK && due - ticks.released > 1 {
                ticks.start += behind - CATCH_UP;
            }
            ticks.released = (rows_in(now - ticks.start, rate) + lead).max(ticks.released + 1);
            ticks.last = now;
        }
        ticks.released - ticks.handed
    }
}

fn rows_in(elapsed: Duration, rate: u64) -> u64 {
    (elapsed.as_nanos() * u128::from(rate) / 1_000_000_000) as u64
}

#[async_trait]
impl SplitReader for RangeReader {
    async fn next(&mut self) -> Result<Option<Fetched>> {
        let left = self.pace.rows_max.map_or(u64::MAX, |max| max.saturating_sub(self.next));
        if left == 0 {
            return Ok(None);
        }
        let due = match self.pace.rows_per_second {
            Some(rate) => self.due(rate).await,
            None => RANGE_ROWS_MAX,
        };
        let count = due.min(left).min(RANGE_ROWS_MAX);
        if let Some(ticks) = &mut self.ticks {
            ticks.handed += count;
        }
        let range = RowRange {
            first: self.next,
            count: u32::try_from(count).expect("a range has at most 8192 rows"),
            at_ms: self.clock.now_ms(),
        };
        self.next += count;
        let position = Position(self.next.to_le_bytes().to_vec());
        Ok(Some(Fetched { payload: Payload::Rows(range), position }))
    }
}

#[cfg(test)]
mod tests;
