//! The numbers of the generator: who follows whom in a round of events, ids, and event time.
//! Invariant: everything follows from an event's number; nothing is counted along the way.

use chrono::NaiveDateTime;
use mainstem_core::clock::Rng;
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, Result};

/// Ids start here, so that small runs join too.
pub(super) const FIRST_PERSON_ID: u64 = 1000;
pub(super) const FIRST_AUCTION_ID: u64 = 1000;
pub(super) const FIRST_CATEGORY_ID: u64 = 10;
pub(super) const CATEGORIES: u64 = 5;
/// Ids that do not exist yet but are drawn already.
const ID_LEAD: u64 = 10;
/// Of so many people or auctions in a row, the first (for bidders the second) is hot.
const HOT_BATCH: u64 = 100;
const ACTIVE_PEOPLE: u64 = 1000;
const AUCTIONS_IN_FLIGHT: u64 = 100;

/// The kinds of events, in the order in which they come in a round; their numbers are those of `event_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Person,
    Auction,
    Bid,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Kind; 3] = [Kind::Person, Kind::Auction, Kind::Bid];
}

/// Some of the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds([bool; 3]);

impl Kinds {
    /// Every kind.
    pub(super) const ALL: Kinds = Kinds([true; 3]);

    /// One.
    pub(super) fn only(kind: Kind) -> Self {
        Self::ALL.that(|k| k == kind)
    }

    /// Those of them for which `is` says yes.
    pub(super) fn that(self, is: impl Fn(Kind) -> bool) -> Self {
        Self(Kind::ALL.map(|k| self.has(k) && is(k)))
    }

    pub(super) fn has(self, kind: Kind) -> bool {
        self.0[kind as usize]
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |k| self.has(*k))
    }
}

/// An event's number, and where it stands in its round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) number: u64,
    pub(super) round: u64,
    pub(super) offset: u64,
}

/// The options, read.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) people: u64,
    pub(super) auctions: u64,
    pub(super) bids: u64,
    pub(super) rate: u64,
    delay_us: f64,
    base_time_ms: i64,
    pub(super) person_size: u64,
    pub(super) auction_size: u64,
    pub(super) bid_size: u64,
    hot_auctions: u64,
    hot_bidders: u64,
    hot_sellers: u64,
    pub(super) seed: u64,
}

impl Config {
    pub(super) fn read(options: OptionReader<'_>) -> Result<Self> {
        let number = |name: &str, least: i64| -> Result<u64> {
            let value = options.integer(name)?.unwrap_or(least);
            if (least..=1_000_000_000).contains(&value) {
                return Ok(value.unsigned_abs());
            }
            Err(Error::user(format!("option '{name}' is {value}"))
                .with_hint(format!("give a number from {least} to 1000000000")))
        };
        let size = |name: &str| -> Result<u64> {
            let bytes = options.memory_size(name)?.unwrap_or(0);
            if bytes <= 16_384 {
                return Ok(bytes);
            }
            Err(Error::user(format!("option '{name}' is {bytes} bytes")).with_hint("at most 16 kb"))
        };
        let rate = number("first-event.rate", 1)?;
        if options.integer("next-event.rate")?.is_some_and(|next| next.cast_unsigned() != rate) {
            return Err(Error::user("'first-event.rate' and 'next-event.rate' differ")
                .with_hint("give both the same value: rates that change are not made"));
        }
        Ok(Self {
            people: number("person.proportion", 1)?,
            auctions: number("auction.proportion", 1)?,
            bids: number("bid.proportion", 0)?,
            rate,
            delay_us: 1_000_000.0 / rate as f64,
            base_time_ms: base_time_ms(options.required("base-time")?)?,
            person_size: size("person.avg-size")?,
            auction_size: size("auction.avg-size")?,
            bid_size: size("bid.avg-size")?,
            hot_auctions: number("bid.hot-ratio.auctions", 1)?,
            hot_bidders: number("bid.hot-ratio.bidders", 1)?,
            hot_sellers: number("auction.hot-ratio.sellers", 1)?,
            seed: options.integer("seed")?.unwrap_or(0).cast_unsigned(),
        })
    }

    /// Events in a round.
    pub(super) fn round(&self) -> u64 {
        self.people + self.auctions + self.bids
    }

    /// Which offsets of a round are events of this kind: from the first, up to but without the second.
    pub(super) fn offsets(&self, kind: Kind) -> (u64, u64) {
        match kind {
            Kind::Person => (0, self.people),
            Kind::Auction => (self.people, self.people + self.auctions),
            Kind::Bid => (self.people + self.auctions, self.round()),
        }
    }

    /// How many events of this kind come before event `number`.
    pub(super) fn count_before(&self, kind: Kind, number: u64) -> u64 {
        let (from, to) = self.offsets(kind);
        let offset = (number % self.round()).clamp(from, to);
        number / self.round() * (to - from) + (offset - from)
    }

    /// An event's time in ms.
    #[inline]
    pub(super) fn time_ms(&self, number: u64) -> i64 {
        self.base_time_ms + ((number as f64 * self.delay_us) as i64) / 1000
    }

    /// The newest person, counted from 0.
    #[inline]
    pub(super) fn last_person(&self, event: Event) -> u64 {
        event.round * self.people + event.offset.min(self.people - 1)
    }

    /// The newest auction, counted from 0; not for a person's event.
    #[inline]
    pub(super) fn last_auction(&self, event: Event) -> u64 {
        event.round * self.auctions + (event.offset - self.people).min(self.auctions - 1)
    }

    #[inline]
    fn any_person(&self, event: Event, rng: &mut Rng) -> u64 {
        let people = self.last_person(event) + 1;
        let active = people.min(ACTIVE_PEOPLE);
        people - active + rng.below(active + ID_LEAD)
    }

    /// Who sells the auction of this event.
    #[inline]
    pub(super) fn seller(&self, event: Event, rng: &mut Rng) -> u64 {
        let person = if rng.below(self.hot_sellers) > 0 {
            self.last_person(event) / HOT_BATCH * HOT_BATCH
        } else {
            self.any_person(event, rng)
        };
        person + FIRST_PERSON_ID
    }

    /// Who bids in this event; never a hot seller.
    #[inline]
    pub(super) fn bidder(&self, event: Event, rng: &mut Rng) -> u64 {
        let person = if rng.below(self.hot_bidders) > 0 {
            self.last_person(event) / HOT_BATCH * HOT_BATCH + 1
        } else {
            self.any_person(event, rng)
        };
        person + FIRST_PERSON_ID
    }

    /// What this event's bid is for.
    #[inline]
    pub(super) fn auction(&self, event: Event, rng: &mut Rng) -> u64 {
        let last = self.last_auction(event);
        let auction = if rng.below(self.hot_auctions) > 0 {
            last / HOT_BATCH * HOT_BATCH
        } else {
            let first = last.saturating_sub(AUCTIONS_IN_FLIGHT);
            first + rng.below(last - first + 1 + ID_LEAD)
        };
        auction + FIRST_AUCTION_ID
    }

    /// When the auction of this event ends.
    #[inline]
    pub(super) fn expires_ms(&self, event: Event, rng: &mut Rng) -> i64 {
        let now = self.time_ms(event.number);
        let ahead = AUCTIONS_IN_FLIGHT * self.round() / self.auctions;
        let horizon = (self.time_ms(event.number + ahead) - now).unsigned_abs();
        now + 1 + rng.below((horizon * 2).max(1)).cast_signed()
    }
}

fn base_time_ms(text: &str) -> Result<i64> {
    if let Ok(ms) = text.trim().parse() {
        return Ok(ms);
    }
    NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S%.f")
        .map(|t| t.and_utc().timestamp_millis())
        .map_err(|_| {
            Error::user(format!("option 'base-time' has the value '{text}', which is no time"))
                .with_hint("write 2026-01-01 00:00:00, or ms since 1970")
        })
}
