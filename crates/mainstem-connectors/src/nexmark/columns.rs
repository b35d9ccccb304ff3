//! Makes columns of events.
//! Invariant: a value depends on the seed, the field and the event's number. In the wide shape the rows of other
//! kinds hold defaults under the ROW's null; in the flat shape they are not visited at all.

use std::sync::Arc;

use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{ArrayRef, StructArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use mainstem_core::clock::{Rng, mix};
use mainstem_core::ingest::{Decode, Decoded, Payload};
use mainstem_core::{Batch, Error, Result, TypeKind};

use super::config::{
    CATEGORIES, Config, Event, FIRST_AUCTION_ID, FIRST_CATEGORY_ID, FIRST_PERSON_ID, Kind,
};
use super::schema::{Item, Plan, Scalar, WideColumn};
use crate::generator::columns::{Texts, moments, primitives};

const EVENT_STEP: u64 = 0xd1b5_4a32_d192_ed03;
const POOL_BYTES: usize = 1 << 16;
const CHANNELS: usize = 10_000;
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const FIRST_NAMES: [&str; 11] = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: [&str; 9] =
    ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];

/// What is made once and then only copied from: random letters, and the channels' addresses.
#[derive(Debug)]
pub(super) struct Pools {
    letters: String,
    /// Those of the hot channels, then those of the others; empty if no address is wanted.
    urls: Vec<String>,
    /// 10^(6 i / 1024), for prices.
    powers: Vec<f64>,
}

impl Pools {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut rng = Rng::new(mix(EVENT_STEP));
        let letters = (0..POOL_BYTES).map(|_| letter(&mut rng)).collect();
        let urls = if plan.makes(Item::Url) {
            (0..HOT_CHANNELS.len() + CHANNELS).map(|i| url(&mut rng, i)).collect()
        } else {
            Vec::new()
        };
        let step = exp_small(PRICE_STEP);
        let powers = std::iter::successors(Some(1.0), |p| Some(p * step)).take(1024).collect();
        Self { letters, urls, powers }
    }

    /// `round(100 * 10^(6 u))` for a uniform `u`, without the platform's own `pow`, so that it is the same everywhere.
    #[inline]
    fn price(&self, rng: &mut Rng) -> i64 {
        let unit = rng.next_u64() >> 11;
        let (index, rest) = (unit >> 43, unit & ((1 << 43) - 1));
        let fraction = rest as f64 / (1u64 << 43) as f64;
        (self.powers[index as usize] * exp_small(fraction * PRICE_STEP) * 100.0 + 0.5) as i64
    }

    /// Letters that bring `size` to `average` on average, give or take a fifth.
    #[inline]
    fn extra(&self, rng: &mut Rng, size: u64, average: u64, out: &mut String) {
        let Some(missing) = average.checked_sub(size) else { return };
        let delta = (missing as f64 * 0.2).round() as u64;
        let length = missing - delta + if delta == 0 { 0 } else { rng.below(2 * delta) };
        let start = rng.below(POOL_BYTES as u64 - length) as usize;
        out.push_str(&self.letters[start..start + length as usize]);
    }
}

/// ln(10) * 6 / 1024.
const PRICE_STEP: f64 = std::f64::consts::LN_10 * 6.0 / 1024.0;

/// e^x for 0 <= x < 0.0136: the Taylor series to the fifth power is exact to a double's last digits.
#[inline]
fn exp_small(x: f64) -> f64 {
    1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0)))))
}

fn letter(rng: &mut Rng) -> char {
    char::from(b'a' + rng.below(26) as u8)
}

fn url(rng: &mut Rng, index: usize) -> String {
    let mut out = String::from("https://www.nexmark.com/");
    for _ in 0..3 {
        word(rng, 5, '_', &mut out);
        out.push('/');
    }
    out.push_str("item.htm?query=1");
    if let Some(channel) = index.checked_sub(HOT_CHANNELS.len())
        && rng.below(10) > 0
    {
        let id = (channel as i32).reverse_bits().wrapping_abs();
        out.push_str(&format!("&channel_id={id}"));
    }
    out
}

/// 3 to `max - 1` letters, one in 13 of them `special`; spaces at the ends are cut.
fn word(rng: &mut Rng, max: u64, special: char, out: &mut String) {
    let start = out.len();
    for _ in 0..3 + rng.below(max - 3) {
        let bits = rng.next_u64();
        let c = if (bits >> 32).is_multiple_of(13) {
            special
        } else {
            char::from(b'a' + (((bits & 0xffff_ffff) * 26) >> 32) as u8)
        };
        if c != ' ' || out.len() > start {
            out.push(c);
        }
    }
    out.truncate(start + out[start..].trim_end_matches(' ').len());
}

fn one_of<'a>(rng: &mut Rng, words: &[&'a str]) -> &'a str {
    words[rng.below(words.len() as u64) as usize]
}

/// A range of events, and which of them get a row.
#[derive(Debug, Clone, Copy)]
struct Events<'a> {
    config: &'a Config,
    pools: &'a Pools,
    first: u64,
    end: u64,
    kind: Kind,
    /// Every event has a row, those of other kinds with a default.
    wide: bool,
}

impl<'a> Events<'a> {
    fn rows(self) -> usize {
        if self.wide {
            return (self.end - self.first) as usize;
        }
        let before = |number| self.config.count_before(self.kind, number);
        (before(self.end) - before(self.first)) as usize
    }

    /// Calls `row` once a row: with the event if it is of the kind, else with nothing.
    #[inline]
    fn visit(self, mut row: impl FnMut(Option<Event>)) {
        let round_len = self.config.round();
        let (from, to) = self.config.offsets(self.kind);
        let mut number = self.first;
        let mut round = number / round_len;
        let mut start = round * round_len;
        while number < self.end {
            let stop = (start + round_len).min(self.end);
            let first = (start + from).clamp(number, stop);
            let last = (start + to).clamp(first, stop);
            if self.wide {
                (number..first).for_each(|_| row(None));
            }
            for number in first..last {
                row(Some(Event { number, round, offset: number - start }));
            }
            if self.wide {
                (last..stop).for_each(|_| row(None));
            }
            (number, round, start) = (stop, round + 1, start + round_len);
        }
    }

    /// One whole number or time a row.
    #[inline]
    fn numbers(self, salt: u64, value: impl Fn(Event, &mut Rng) -> i64) -> std::vec::IntoIter<i64> {
        let mut values = Vec::with_capacity(self.rows());
        let seed = self.seed(salt);
        self.visit(|event| {
            values.push(event.map_or(0, |event| value(event, &mut draw(seed, event))));
        });
        values.into_iter()
    }

    /// One string a row.
    #[inline]
    fn texts(
        self,
        salt: u64,
        bytes_each: usize,
        kind: &TypeKind,
        write: impl Fn(Event, &mut Rng, &mut String),
    ) -> Result<ArrayRef> {
        let mut texts = Texts::with_capacity(self.rows(), bytes_each);
        let mut ended = Ok(());
        let seed = self.seed(salt);
        self.visit(|event| {
            if let Some(event) = event {
                write(event, &mut draw(seed, event), &mut texts.data);
            }
            if let Err(error) = texts.end() {
                ended = Err(error);
            }
        });
        ended?;
        texts.finish(kind, None)
    }

    fn seed(self, salt: u64) -> u64 {
        mix(self.config.seed ^ mix(salt))
    }

    fn bigints(self, salt: u64, value: impl Fn(Event, &mut Rng) -> i64) -> ArrayRef {
        Arc::new(primitives::<Int64Type>(self.numbers(salt, value), None))
    }
}

#[inline]
fn draw(seed: u64, event: Event) -> Rng {
    Rng::new(seed.wrapping_add(event.number.wrapping_mul(EVENT_STEP)))
}

/// The hashes of the fields; two fields that must agree share one.
mod salt {
    pub(super) const SELLER: u64 = 1;
    pub(super) const CATEGORY: u64 = 2;
    pub(super) const PRICE: u64 = 3;
    pub(super) const RESERVE: u64 = 4;
    pub(super) const EXPIRES: u64 = 5;
    pub(super) const NAME: u64 = 6;
    pub(super) const DESCRIPTION: u64 = 7;
    pub(super) const EMAIL: u64 = 8;
    pub(super) const CREDIT_CARD: u64 = 9;
    pub(super) const CITY: u64 = 10;
    pub(super) const STATE: u64 = 11;
    pub(super) const EXTRA: u64 = 12;
    pub(super) const AUCTION: u64 = 13;
    pub(super) const BIDDER: u64 = 14;
    pub(super) const CHANNEL: u64 = 15;
}

fn column(events: Events<'_>, scalar: &Scalar) -> Result<ArrayRef> {
    let (config, pools) = (events.config, events.pools);
    let kind = &scalar.kind;
    let signed = u64::cast_signed;
    Ok(match scalar.item {
        Item::PersonId => events.bigints(0, |e, _| signed(config.last_person(e) + FIRST_PERSON_ID)),
        Item::AuctionId => {
            events.bigints(0, |e, _| signed(config.last_auction(e) + FIRST_AUCTION_ID))
        }
        Item::BidAuction => events.bigints(salt::AUCTION, |e, r| signed(config.auction(e, r))),
        Item::Bidder => events.bigints(salt::BIDDER, |e, r| signed(config.bidder(e, r))),
        Item::Seller => events.bigints(salt::SELLER, |e, r| signed(config.seller(e, r))),
        Item::Category => {
            events.bigints(salt::CATEGORY, |_, r| signed(FIRST_CATEGORY_ID + r.below(CATEGORIES)))
        }
        Item::Price | Item::InitialBid => events.bigints(salt::PRICE, |_, r| pools.price(r)),
        Item::Reserve => {
            let first = events.seed(salt::PRICE);
            events.bigints(salt::RESERVE, |e, r| pools.price(&mut draw(first, e)) + pools.price(r))
        }
        Item::Time => moments(kind, events.numbers(0, |e, _| config.time_ms(e.number)), None)?,
        Item::Expires => {
            moments(kind, events.numbers(salt::EXPIRES, |e, r| config.expires_ms(e, r)), None)?
        }
        _ => text_column(events, scalar)?,
    })
}

fn text_column(events: Events<'_>, scalar: &Scalar) -> Result<ArrayRef> {
    let (config, pools) = (events.config, events.pools);
    let kind = &scalar.kind;
    match scalar.item {
        Item::PersonName => events.texts(salt::NAME, 14, kind, |_, r, out| person_name(r, out)),
        Item::Email => events.texts(salt::EMAIL, 14, kind, |_, r, out| email(r, out)),
        Item::CreditCard => {
            events.texts(salt::CREDIT_CARD, 19, kind, |_, r, out| credit_card(r, out))
        }
        Item::City => {
            events.texts(salt::CITY, 9, kind, |_, r, out| out.push_str(one_of(r, &CITIES)))
        }
        Item::State => {
            events.texts(salt::STATE, 2, kind, |_, r, out| out.push_str(one_of(r, &STATES)))
        }
        Item::AuctionName => events.texts(salt::NAME, 12, kind, |_, r, out| word(r, 20, ' ', out)),
        Item::Description => {
            events.texts(salt::DESCRIPTION, 55, kind, |_, r, out| word(r, 100, ' ', out))
        }
        Item::Channel => events.texts(salt::CHANNEL, 9, kind, |_, r, out| match channel(r) {
            Ok(hot) => out.push_str(HOT_CHANNELS[hot]),
            Err(cold) => {
                out.push_str("channel-");
                out.push_str(itoa::Buffer::new().format(cold));
            }
        }),
        Item::Url => events.texts(salt::CHANNEL, 72, kind, |_, r, out| {
            let index = channel(r).unwrap_or_else(|cold| cold + HOT_CHANNELS.len());
            out.push_str(&pools.urls[index]);
        }),
        Item::BidExtra => events.texts(salt::EXTRA, config.bid_size as usize, kind, |_, r, out| {
            pools.extra(r, 32, config.bid_size, out);
        }),
        Item::PersonExtra => {
            let seeds = [salt::NAME, salt::EMAIL, salt::CITY].map(|s| events.seed(s));
            events.texts(salt::EXTRA, config.person_size as usize, kind, |e, r, out| {
                let mut text = String::new();
                person_name(&mut draw(seeds[0], e), &mut text);
                email(&mut draw(seeds[1], e), &mut text);
                text.push_str(one_of(&mut draw(seeds[2], e), &CITIES));
                pools.extra(r, 8 + 19 + 2 + text.len() as u64, config.person_size, out);
            })
        }
        Item::AuctionExtra => {
            let seeds = [salt::NAME, salt::DESCRIPTION].map(|s| events.seed(s));
            events.texts(salt::EXTRA, config.auction_size as usize, kind, |e, r, out| {
                let mut text = String::new();
                word(&mut draw(seeds[0], e), 20, ' ', &mut text);
                word(&mut draw(seeds[1], e), 100, ' ', &mut text);
                pools.extra(r, 8 * 6 + text.len() as u64, config.auction_size, out);
            })
        }
        other => Err(Error::internal(format!("{other:?} is no string"))),
    }
}

fn person_name(rng: &mut Rng, out: &mut String) {
    out.push_str(one_of(rng, &FIRST_NAMES));
    out.push(' ');
    out.push_str(one_of(rng, &LAST_NAMES));
}

fn email(rng: &mut Rng, out: &mut String) {
    word(rng, 7, ' ', out);
    out.push('@');
    word(rng, 5, ' ', out);
    out.push_str(".com");
}

fn credit_card(rng: &mut Rng, out: &mut String) {
    for group in 0..4 {
        if group > 0 {
            out.push(' ');
        }
        let number = rng.below(10_000) as u32;
        out.extend([1000, 100, 10, 1].map(|d| char::from(b'0' + (number / d % 10) as u8)));
    }
}

/// A hot channel's index in half of the cases, else another channel's number.
#[inline]
fn channel(rng: &mut Rng) -> Result<usize, usize> {
    let bits = rng.next_u64();
    if bits >> 63 == 1 {
        Ok((bits & 3) as usize)
    } else {
        Err((((bits & 0xffff_ffff) * CHANNELS as u64) >> 32) as usize)
    }
}

/// Makes the projected columns of ranges of events.
#[derive(Debug)]
pub(super) struct NexmarkDecoder {
    config: Config,
    plan: Arc<Plan>,
    pools: Arc<Pools>,
}

impl NexmarkDecoder {
    pub(super) fn new(config: Config, plan: Arc<Plan>, pools: Arc<Pools>) -> Self {
        Self { config, plan, pools }
    }

    fn wide_column(&self, events: Events<'_>, column_: &WideColumn) -> Result<ArrayRef> {
        match column_ {
            WideColumn::EventType => {
                let round = self.config.round();
                let auctions = self.config.people;
                let bids = auctions + self.config.auctions;
                let types = (events.first..events.end).map(|number| {
                    let offset = number % round;
                    i32::from(offset >= auctions) + i32::from(offset >= bids)
                });
                Ok(Arc::new(primitives::<Int32Type>(types, None)))
            }
            WideColumn::Row(kind, fields, scalars) => {
                let events = Events { kind: *kind, ..events };
                let columns = scalars.iter().map(|s| column(events, s)).collect::<Result<_>>()?;
                let (from, to) = self.config.offsets(*kind);
                let round = self.config.round();
                let valid = BooleanBuffer::collect_bool(events.rows(), |i| {
                    (from..to).contains(&((events.first + i as u64) % round))
                });
                let nulls = Some(NullBuffer::new(valid));
                let rows = events.rows();
                let array = StructArray::try_new_with_length(fields.clone(), columns, nulls, rows)?;
                Ok(Arc::new(array))
            }
        }
    }
}

impl Decode for NexmarkDecoder {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        let Payload::Rows(range) = payload else {
            return Err(Error::internal("nexmark was handed a payload that is not a range"));
        };
        let (kind, wide) = match &*self.plan {
            Plan::Flat(kind, _) => (*kind, false),
            Plan::Wide(_) => (Kind::Bid, true),
        };
        let events = Events {
            config: &self.config,
            pools: &self.pools,
            first: range.first,
            end: range.first + u64::from(range.count),
            kind,
            wide,
        };
        let columns = match &*self.plan {
            Plan::Flat(_, scalars) => {
                scalars.iter().map(|s| column(events, s)).collect::<Result<_>>()?
            }
            Plan::Wide(columns) => {
                columns.iter().map(|c| self.wide_column(events, c)).collect::<Result<Vec<_>>>()?
            }
        };
        out.records += u64::from(range.count);
        if events.rows() > 0 {
            out.batches.push(Batch::new(columns, events.rows()));
        }
        Ok(())
    }
}
