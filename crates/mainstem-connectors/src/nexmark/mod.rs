//! `nexmark`: people, auctions and bids with the distributions of the Nexmark reference generator (its Flink
//! connector), either as the reference's one wide table or, with `nexmark.table`, as a flat table of one kind.
//! Invariant: event `n` is a function of the options and `n`; each field draws from its own hash of `n`, so a column
//! that is not asked for costs nothing and changes nothing.
//! Departures from the reference, on purpose: `base-time` has a fixed default (the reference takes the time at which
//! the job was compiled), events are numbered from 0, and a bidder's number is a person's number (the reference adds
//! the first person's number twice, so its bidders run 1000 people ahead).

mod columns;
mod config;
mod filter;
mod schema;

use std::sync::Arc;

use mainstem_core::options::{
    ConnectorSpec, Delivery, FormatUse, OptionReader, OptionSpec, OptionType, Pushdown,
    SinkChangelog, optional,
};
use mainstem_core::{Error, Result};

use self::columns::{NexmarkDecoder, Pools};
use self::config::Config;
use crate::api::{Connector, Source, SourceRequest};
use crate::generator::{
    GeneratorSource, NUMBER_OF_ROWS, Pace, rate, refuse_unknown_options, row_limit,
};

const KINDS: &[&str] = &["person", "auction", "bid"];

const OPTIONS: &[OptionSpec] = &[
    optional(
        "nexmark.table",
        OptionType::Enum(KINDS),
        None,
        "Makes a flat table of one kind of event: its columns are that kind's fields.",
        "bid",
    ),
    number("first-event.rate", "10000", "Events per second of event time.", "1000000"),
    optional(
        "next-event.rate",
        OptionType::Integer,
        None,
        "As first-event.rate, which it must equal: rates that change are not made.",
        "1000000",
    ),
    number("events.num", "0", "How many events of all kinds; 0 never ends.", "100000000"),
    number("stop-at", "-1", "Ends at this event, if it comes before events.num.", "1000"),
    optional(
        "max-emit-speed",
        OptionType::Boolean,
        Some("true"),
        "false hands events out in real time, at first-event.rate.",
        "false",
    ),
    optional(
        "base-time",
        OptionType::String,
        Some("2015-07-15 00:00:00"),
        "The first event's time, as yyyy-MM-dd HH:mm:ss or in ms since 1970.",
        "2026-01-01 00:00:00",
    ),
    number("person.proportion", "1", "New people in a round of events.", "1"),
    number("auction.proportion", "3", "New auctions in a round of events.", "3"),
    number("bid.proportion", "46", "Bids in a round of events.", "46"),
    size("person.avg-size", "200b", "The average size of a person."),
    size("auction.avg-size", "500b", "The average size of an auction."),
    size("bid.avg-size", "100b", "The average size of a bid, without channel and url."),
    number("bid.hot-ratio.auctions", "2", "One bid in so many is not for a hot auction.", "2"),
    number("bid.hot-ratio.bidders", "4", "One bid in so many is not by a hot bidder.", "4"),
    number("auction.hot-ratio.sellers", "4", "One auction in so many has no hot seller.", "4"),
    optional(
        "rows-per-second",
        OptionType::Integer,
        None,
        "Events of all kinds a second; without it as fast as they can be made.",
        "100000",
    ),
    NUMBER_OF_ROWS,
    number("seed", "0", "The same seed gives the same events.", "42"),
];

const fn number(
    name: &'static str,
    default: &'static str,
    doc: &'static str,
    example: &'static str,
) -> OptionSpec {
    optional(name, OptionType::Integer, Some(default), doc, example)
}

const fn size(name: &'static str, default: &'static str, doc: &'static str) -> OptionSpec {
    optional(name, OptionType::MemorySize, Some(default), doc, default)
}

static SPEC: ConnectorSpec = ConnectorSpec {
    name: "nexmark",
    doc: "The Nexmark benchmark's people, auctions and bids.",
    source: Some(Delivery::ExactlyOnce),
    sink: None,
    sink_weaker: &[],
    formats: FormatUse::None,
    options: OPTIONS,
    metadata: &[],
    upsert_source: false,
    sink_changelog: SinkChangelog::ByFormat,
    pushdown: Pushdown { filters: true, fields: true, ..Pushdown::NONE },
};

/// The connector.
#[derive(Debug)]
pub struct Nexmark;

/// The registry's entry.
pub static NEXMARK: Nexmark = Nexmark;

impl Connector for Nexmark {
    fn spec(&self) -> &'static ConnectorSpec {
        &SPEC
    }

    fn source(&self, request: SourceRequest) -> Result<Box<dyn Source>> {
        refuse_unknown_options(&request, OPTIONS, SPEC.name)?;
        let options = OptionReader::new(&request.table.options, OPTIONS);
        let config = Config::read(options)?;
        let plan = Arc::new(schema::plan(&request, options.text("nexmark.table"))?);
        let pools = Arc::new(Pools::new(&plan));
        let pace = pace(options, &config)?;
        let make = move || {
            Box::new(NexmarkDecoder::new(config.clone(), Arc::clone(&plan), Arc::clone(&pools)))
                as _
        };
        Ok(Box::new(GeneratorSource::new(pace, request.environment.clock, make)))
    }
}

fn pace(options: OptionReader<'_>, config: &Config) -> Result<Pace> {
    let mut pace = Pace {
        rows_per_second: rate(options, "rows-per-second")?,
        rows_max: row_limit(options, NUMBER_OF_ROWS.name)?,
    };
    if !options.boolean("max-emit-speed")? {
        if pace.rows_per_second.is_some() {
            return Err(Error::user(
                "'max-emit-speed' = 'false' and 'rows-per-second' both set the rate",
            )
            .with_hint("leave one of them out"));
        }
        pace.rows_per_second = Some(config.rate);
    }
    for limit in
        [row_limit(options, "events.num")?.filter(|n| *n > 0), row_limit(options, "stop-at")?]
    {
        pace = limit.map_or(pace, |rows| pace.limited_to(rows));
    }
    Ok(pace)
}

#[cfg(test)]
mod tests;
