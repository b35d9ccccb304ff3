//! Makes columns of events.
//! Invariant: a value depends on the seed, the field and the event's number. In the wide shape the rows of other
//! kinds hold defaults under the ROW's null; in the flat shape they are not visited at all, and neither are events
//! that a filter refuses.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BinaryArray, Int32Array, StringArray, StructArray, new_null_array};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType as ArrowType;
use mainstem_core::clock::{Rng, mix};
use mainstem_core::ingest::{Decode, Decoded, Payload};
use mainstem_core::{Batch, Error, Result, TypeKind};

use super::config::{
    CATEGORIES, Config, Event, FIRST_AUCTION_ID, FIRST_CATEGORY_ID, FIRST_PERSON_ID, Kind, Kinds,
};
use super::schema::{Item, Plan, Scalar, Shape, WideColumn};
use crate::generator::columns::{moments, primitives};

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
    letters: Vec<u8>,
    /// Those of the hot channels, then those of the others; empty if no name is wanted.
    channels: Pieces,
    /// In the same order; empty if no address is wanted.
    urls: Pieces,
    /// 10^(6 i / 1024), for prices.
    powers: Vec<f64>,
}

impl Pools {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut rng = Rng::new(mix(EVENT_STEP));
        let letters = (0..POOL_BYTES).map(|_| letter(&mut rng)).collect();
        let all = 0..HOT_CHANNELS.len() + CHANNELS;
        let (mut channels, mut urls) = (Pieces::default(), Pieces::default());
        if plan.makes(Item::Url) {
            urls = all.clone().map(|i| url(&mut rng, i)).collect();
        }
        if plan.makes(Item::Channel) {
            channels = all.map(channel_name).collect();
        }
        let step = exp_small(PRICE_STEP);
        let powers = std::iter::successors(Some(1.0), |p| Some(p * step)).take(1024).collect();
        Self { letters, channels, urls, powers }
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
    fn extra(&self, rng: &mut Rng, size: u64, average: u64, out: &mut Vec<u8>) {
        let Some(missing) = average.checked_sub(size) else { return };
        // The nearest whole number to a fifth.
        let delta = (missing + 2) / 5;
        let length = missing - delta + if delta == 0 { 0 } else { rng.below(2 * delta) };
        let start = rng.below(POOL_BYTES as u64 - length) as usize;
        out.extend_from_slice(&self.letters[start..start + length as usize]);
    }
}

/// Strings one behind the other.
#[derive(Debug, Default)]
struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Pieces {
    #[inline]
    fn append(&self, index: usize, out: &mut Vec<u8>) {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        out.extend_from_slice(&self.bytes[start..self.ends[index] as usize]);
    }
}

impl FromIterator<String> for Pieces {
    fn from_iter<I: IntoIterator<Item = String>>(texts: I) -> Self {
        let mut pieces = Self::default();
        for text in texts {
            pieces.bytes.extend_from_slice(text.as_bytes());
            pieces.ends.push(pieces.bytes.len() as u32);
        }
        pieces
    }
}

/// ln(10) * 6 / 1024.
const PRICE_STEP: f64 = std::f64::consts::LN_10 * 6.0 / 1024.0;

/// e^x for 0 <= x < 0.0136: the Taylor series to the fifth power is exact to a double's last digits.
#[inline]
fn exp_small(x: f64) -> f64 {
    1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0)))))
}

fn letter(rng: &mut Rng) -> u8 {
    b'a' + rng.below(26) as u8
}

fn channel_name(index: usize) -> String {
    match index.checked_sub(HOT_CHANNELS.len()) {
        None => HOT_CHANNELS[index].to_owned(),
        Some(cold) => format!("channel-{cold}"),
    }
}

fn url(rng: &mut Rng, index: usize) -> String {
    let mut out = String::from("https://www.nexmark.com/");
    for _ in 0..3 {
        let mut directory = Vec::new();
        word(rng, 5, b'_', &mut directory);
        out.extend(directory.into_iter().map(char::from));
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
fn word(rng: &mut Rng, max: u64, special: u8, out: &mut Vec<u8>) {
    let start = out.len();
    for _ in 0..3 + rng.below(max - 3) {
        let bits = rng.next_u64();
        let c = if (bits >> 32).is_multiple_of(13) {
            special
        } else {
            b'a' + (((bits & 0xffff_ffff) * 26) >> 32) as u8
        };
        if c != b' ' || out.len() > start {
            out.push(c);
        }
    }
    while out.len() > start && out.last() == Some(&b' ') {
        out.pop();
    }
}

fn one_of<'a>(rng: &mut Rng, words: &[&'a str]) -> &'a str {
    words[rng.below(words.len() as u64) as usize]
}

/// Which events get a row.
#[derive(Debug, Clone, Copy)]
enum Rows<'a> {
    /// Those of the kind in a range.
    OfKind,
    /// Those of any of these kinds in a range; those of other kinds than the one that is made hold a default.
    OfKinds(Kinds),
    /// These, of the kind.
    Picked(&'a [Event]),
}

/// A range of events, the kind that is made of them, and which of them get a row.
#[derive(Debug, Clone, Copy)]
struct Events<'a> {
    config: &'a Config,
    pools: &'a Pools,
    first: u64,
    end: u64,
    kind: Kind,
    rows: Rows<'a>,
}

/// Events of one kind in one round, one after the other.
struct Run {
    first: Event,
    count: u64,
    kind: Kind,
}

impl Run {
    fn events(&self) -> impl ExactSizeIterator<Item = Event> + use<> {
        let Event { number, round, offset } = self.first;
        (0..self.count as usize).map(move |i| {
            let i = i as u64;
            Event { number: number + i, round, offset: offset + i }
        })
    }
}

impl<'a> Events<'a> {
    fn count(self) -> usize {
        match self.rows {
            Rows::OfKind => self.among(self.kind),
            Rows::OfKinds(kinds) => kinds.iter().map(|kind| self.among(kind)).sum(),
            Rows::Picked(events) => events.len(),
        }
    }

    /// How many events are of a kind.
    fn among(self, kind: Kind) -> usize {
        let before = |number| self.config.count_before(kind, number);
        (before(self.end) - before(self.first)) as usize
    }

    /// The rows in order, in runs.
    #[inline]
    fn visit(self, mut see: impl FnMut(Run)) {
        let kinds = match self.rows {
            Rows::OfKind => Kinds::only(self.kind),
            Rows::OfKinds(kinds) => kinds,
            Rows::Picked(events) => {
                events.iter().for_each(|&first| see(Run { first, count: 1, kind: self.kind }));
                return;
            }
        };
        let round_len = self.config.round();
        let mut number = self.first;
        let mut round = number / round_len;
        let mut start = round * round_len;
        while number < self.end {
            let stop = (start + round_len).min(self.end);
            for kind in kinds.iter() {
                let (from, to) = self.config.offsets(kind);
                let first = (start + from).clamp(number, stop);
                let last = (start + to).clamp(first, stop);
                if first < last {
                    let event = Event { number: first, round, offset: first - start };
                    see(Run { first: event, count: last - first, kind });
                }
            }
            (number, round, start) = (stop, round + 1, start + round_len);
        }
    }

    /// One whole number or time a row.
    #[inline]
    fn numbers(self, salt: u64, value: impl Fn(Event, &mut Rng) -> i64) -> std::vec::IntoIter<i64> {
        let mut values = Vec::with_capacity(self.count());
        let seed = self.seed(salt);
        self.visit(|run| {
            if run.kind == self.kind {
                values.extend(run.events().map(|event| value(event, &mut draw(seed, event))));
            } else {
                values.resize(values.len() + run.count as usize, 0);
            }
        });
        values.into_iter()
    }

    /// Letters that fill events up to `average` bytes, of which about `beside_about`, exactly `beside`, are in other columns.
    fn extras(
        self,
        average: u64,
        beside_about: u64,
        kind: &TypeKind,
        beside: impl Fn(Event) -> u64,
    ) -> Result<ArrayRef> {
        let each = average.saturating_sub(beside_about) as usize;
        self.texts(salt::EXTRA, each, kind, |event, rng, out| {
            self.pools.extra(rng, beside(event), average, out);
        })
    }

    /// One string a row.
    #[inline]
    fn texts(
        self,
        salt: u64,
        bytes_each: usize,
        kind: &TypeKind,
        write: impl Fn(Event, &mut Rng, &mut Vec<u8>),
    ) -> Result<ArrayRef> {
        let rows = self.count();
        // Memory that is not used would stay as long as a row of the batch does.
        let mut data = Vec::with_capacity(rows.min(self.among(self.kind)) * bytes_each);
        let mut offsets: Vec<i32> = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let seed = self.seed(salt);
        self.visit(|run| {
            if run.kind == self.kind {
                offsets.extend(run.events().map(|event| {
                    write(event, &mut draw(seed, event), &mut data);
                    data.len() as i32
                }));
            } else {
                offsets.resize(offsets.len() + run.count as usize, data.len() as i32);
            }
        });
        // Lengths only grow, so it is enough to look at the last one.
        i32::try_from(data.len())
            .map_err(|_| Error::user("generated values of one step exceed 2 GiB"))?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let data = Buffer::from_vec(data);
        Ok(if kind.is_binary() {
            Arc::new(BinaryArray::try_new(offsets, data, None)?)
        } else {
            Arc::new(StringArray::try_new(offsets, data, None)?)
        })
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
        Item::City => events.texts(salt::CITY, 9, kind, |_, r, out| {
            out.extend_from_slice(one_of(r, &CITIES).as_bytes());
        }),
        Item::State => events.texts(salt::STATE, 2, kind, |_, r, out| {
            out.extend_from_slice(one_of(r, &STATES).as_bytes());
        }),
        Item::AuctionName => events.texts(salt::NAME, 12, kind, |_, r, out| word(r, 20, b' ', out)),
        Item::Description => {
            events.texts(salt::DESCRIPTION, 55, kind, |_, r, out| word(r, 100, b' ', out))
        }
        Item::Channel => events.texts(salt::CHANNEL, 10, kind, |_, r, out| {
            pools.channels.append(channel(r), out);
        }),
        Item::Url => events.texts(salt::CHANNEL, 65, kind, |_, r, out| {
            pools.urls.append(channel(r), out);
        }),
        Item::BidExtra => events.extras(config.bid_size, 30, kind, |_| 32),
        Item::PersonExtra => {
            let seeds = [salt::NAME, salt::EMAIL, salt::CITY].map(|s| events.seed(s));
            events.extras(config.person_size, 55, kind, |e| {
                let mut text = Vec::new();
                person_name(&mut draw(seeds[0], e), &mut text);
                email(&mut draw(seeds[1], e), &mut text);
                text.extend_from_slice(one_of(&mut draw(seeds[2], e), &CITIES).as_bytes());
                8 + 19 + 2 + text.len() as u64
            })
        }
        Item::AuctionExtra => {
            let seeds = [salt::NAME, salt::DESCRIPTION].map(|s| events.seed(s));
            events.extras(config.auction_size, 105, kind, |e| {
                let mut text = Vec::new();
                word(&mut draw(seeds[0], e), 20, b' ', &mut text);
                word(&mut draw(seeds[1], e), 100, b' ', &mut text);
                8 * 6 + text.len() as u64
            })
        }
        other => Err(Error::internal(format!("{other:?} is no string"))),
    }
}

fn person_name(rng: &mut Rng, out: &mut Vec<u8>) {
    out.extend_from_slice(one_of(rng, &FIRST_NAMES).as_bytes());
    out.push(b' ');
    out.extend_from_slice(one_of(rng, &LAST_NAMES).as_bytes());
}

fn email(rng: &mut Rng, out: &mut Vec<u8>) {
    word(rng, 7, b' ', out);
    out.push(b'@');
    word(rng, 5, b' ', out);
    out.extend_from_slice(b".com");
}

fn credit_card(rng: &mut Rng, out: &mut Vec<u8>) {
    for group in 0..4 {
        if group > 0 {
            out.push(b' ');
        }
        let number = rng.below(10_000) as u32;
        out.extend([1000, 100, 10, 1].map(|d| b'0' + (number / d % 10) as u8));
    }
}

/// The place of a hot channel in half of the cases, else of one of the others behind them.
#[inline]
fn channel(rng: &mut Rng) -> usize {
    let bits = rng.next_u64();
    if bits >> 63 == 1 {
        (bits & 3) as usize
    } else {
        HOT_CHANNELS.len() + (((bits & 0xffff_ffff) * CHANNELS as u64) >> 32) as usize
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
        let rows = events.count();
        let (kind, fields, scalars) = match column_ {
            WideColumn::EventType => {
                let mut types = Vec::with_capacity(rows);
                events.visit(|run| {
                    types.resize(types.len() + run.count as usize, run.kind as i32);
                });
                return Ok(Arc::new(Int32Array::from(types)));
            }
            WideColumn::Row(kind, fields, scalars) => (*kind, fields, scalars),
        };
        if !self.plan.kinds.has(kind) {
            return Ok(new_null_array(&ArrowType::Struct(fields.clone()), rows));
        }
        let events = Events { kind, ..events };
        let columns = scalars.iter().map(|s| column(events, s)).collect::<Result<_>>()?;
        let nulls = (self.plan.kinds != Kinds::only(kind)).then(|| {
            let mut valid = BooleanBufferBuilder::new(rows);
            events.visit(|run| valid.append_n(run.count as usize, run.kind == kind));
            NullBuffer::new(valid.finish())
        });
        Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, rows)?))
    }

    /// The events of a flat table that pass its filters.
    fn picked(&self, events: Events<'_>) -> Result<Vec<Event>> {
        let mut left: Vec<Event> = Vec::with_capacity(events.count());
        events.visit(|run| left.extend(run.events()));
        for test in &self.plan.tests {
            let values = column(Events { rows: Rows::Picked(&left), ..events }, &test.scalar)?;
            let passes = test.passes(&values)?;
            let mut row = 0;
            left.retain(|_| {
                row += 1;
                passes[row - 1]
            });
        }
        Ok(left)
    }
}

impl Decode for NexmarkDecoder {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        let Payload::Rows(range) = payload else {
            return Err(Error::internal("nexmark was handed a payload that is not a range"));
        };
        let (kind, rows) = match &self.plan.shape {
            Shape::Flat(kind, _) => (*kind, Rows::OfKind),
            Shape::Wide(_) => (Kind::Bid, Rows::OfKinds(self.plan.kinds)),
        };
        let mut events = Events {
            config: &self.config,
            pools: &self.pools,
            first: range.first,
            end: range.first + u64::from(range.count),
            kind,
            rows,
        };
        let picked;
        if !self.plan.tests.is_empty() {
            picked = self.picked(events)?;
            events.rows = Rows::Picked(&picked);
        }
        let columns = match &self.plan.shape {
            Shape::Flat(_, scalars) => {
                scalars.iter().map(|s| column(events, s)).collect::<Result<_>>()?
            }
            Shape::Wide(columns) => {
                columns.iter().map(|c| self.wide_column(events, c)).collect::<Result<Vec<_>>>()?
            }
        };
        out.records += u64::from(range.count);
        if events.count() > 0 {
            out.batches.push(Batch::new(columns, events.count()));
        }
        Ok(())
    }
}
