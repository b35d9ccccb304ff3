//! RAND and RAND_INTEGER.
//! Invariant: with a constant seed the numbers are those of `java.util.Random`, one sequence a call; without one they
//! are SplitMix64 over the step's time, the call and a count of draws, so that no two rows or calls share a number.
//! The one kernel of this crate that keeps something between batches: how far its sequence is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::builder::{Float64Builder, Int32Builder};
use mainstem_core::clock::{Rng, mix};
use mainstem_core::{DataType, Error, Result, TypeKind};
use mainstem_engine::expr::{EvalContext, Value};

use crate::functions::rowwise::{Long, Reader, Sink};
use crate::functions::signature::{Want, any_nullable, constant_integer, expect};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static RAND: ScalarFunction = ScalarFunction {
    name: "RAND",
    aliases: &[],
    usage: "RAND([seed])",
    doc: "A random DOUBLE from 0 to below 1.",
    bind: bind_rand,
};

pub(super) static RAND_INTEGER: ScalarFunction = ScalarFunction {
    name: "RAND_INTEGER",
    aliases: &[],
    usage: "RAND_INTEGER([seed, ] bound)",
    doc: "A random INT from 0 to below the bound.",
    bind: bind_rand_integer,
};

fn bind_rand(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Integer], 0)?;
    let source = Source::bind(arguments.first());
    let kernel: Kernel = Arc::new(move |values, rows, cx| {
        let mut draws = source.start(cx, values.first())?;
        let mut out = Float64Builder::with_rows(rows);
        for row in 0..rows {
            out.append_option(draws.at(row).map(|mut draw| draw.unit()));
        }
        Ok(Value::Array(Sink::finish(out)))
    });
    Ok(random(TypeKind::Double, types, kernel))
}

fn bind_rand_integer(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Integer, Want::Integer], 1)?;
    let seed = (arguments.len() == 2).then(|| &arguments[0]);
    let source = Source::bind(seed);
    let kernel: Kernel = Arc::new(move |values, rows, cx| {
        let (bounds, seed) = values.split_last().expect("the binder gives one or two");
        let bounds = Reader::<Long>::new(bounds)?;
        let mut draws = source.start(cx, seed.first())?;
        let mut out = Int32Builder::with_rows(rows);
        for row in 0..rows {
            let draw = draws.at(row);
            let drawn = match (draw, bounds.get(row)) {
                (Some(mut draw), Some(bound)) => Some(draw.below(positive(bound)?)),
                _ => None,
            };
            out.append_option(drawn);
        }
        Ok(Value::Array(Sink::finish(out)))
    });
    Ok(random(TypeKind::Int, types, kernel))
}

fn random(returns: TypeKind, arguments: Vec<DataType>, kernel: Kernel) -> Binding {
    let nullable = any_nullable(&arguments);
    let returns = DataType { kind: returns, nullable };
    Binding { returns, arguments, kernel, deterministic: false }
}

fn positive(bound: i64) -> Result<i32> {
    i32::try_from(bound).ok().filter(|bound| *bound > 0).ok_or_else(|| {
        Error::user(format!("the bound of RAND_INTEGER must be a positive INT, found {bound}"))
    })
}

/// Where a call's numbers come from.
enum Source {
    /// No seed: the number that tells this call from others, and how many numbers it has drawn.
    Free { call: u64, drawn: AtomicU64 },
    /// One seed for all rows: the state of Java's generator.
    Seeded(AtomicU64),
    /// A seed a row.
    EachRow,
}

/// Tells calls apart; it counts, so a simulation that binds the same statements gets the same numbers.
static CALLS: AtomicU64 = AtomicU64::new(0);

impl Source {
    fn bind(seed: Option<&Argument>) -> Self {
        match seed.map(constant_integer) {
            None => {
                let call = CALLS.fetch_add(1, Ordering::Relaxed);
                Source::Free { call, drawn: AtomicU64::new(0) }
            }
            Some(Some(Some(seed))) => Source::Seeded(AtomicU64::new(scramble(seed))),
            Some(_) => Source::EachRow,
        }
    }

    fn start<'a>(&'a self, cx: &EvalContext, seed: Option<&'a Value>) -> Result<Draws<'a>> {
        let seeds = seed.map(Reader::new).transpose()?;
        Ok(Draws { source: self, now: mix(cx.now_ms as u64), seeds })
    }
}

/// The draws of one batch.
struct Draws<'a> {
    source: &'a Source,
    now: u64,
    seeds: Option<Reader<'a, Long>>,
}

impl<'a> Draws<'a> {
    /// The generator for a row; `None` if its seed is NULL.
    fn at(&mut self, row: usize) -> Option<Draw<'a>> {
        match self.source {
            Source::Free { call, drawn } => {
                let count = drawn.fetch_add(1, Ordering::Relaxed);
                Some(Draw::Free(Rng::new(self.now ^ mix(call ^ mix(count)))))
            }
            Source::Seeded(state) => Some(Draw::Shared(state)),
            Source::EachRow => {
                Some(Draw::Own(scramble(self.seeds.as_ref().and_then(|s| s.get(row))?)))
            }
        }
    }
}

enum Draw<'a> {
    Free(Rng),
    Shared(&'a AtomicU64),
    Own(u64),
}

/// The state that `new java.util.Random(seed)` starts with; RAND takes the seed as INT.
fn scramble(seed: i64) -> u64 {
    (i64::from(seed as i32) as u64 ^ 0x5_DEEC_E66D) & ((1 << 48) - 1)
}

impl Draw<'_> {
    /// The next `bits` of Java's linear congruential generator.
    fn next(&mut self, bits: u32) -> u32 {
        let step =
            |state: u64| state.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & ((1 << 48) - 1);
        let state = match self {
            Draw::Free(rng) => rng.next_u64() >> 16,
            Draw::Shared(state) => {
                let before =
                    state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |s| Some(step(s)));
                step(before.unwrap_or_else(|state| state))
            }
            Draw::Own(state) => {
                *state = step(*state);
                *state
            }
        };
        (state >> (48 - bits)) as u32
    }

    fn unit(&mut self) -> f64 {
        let high = u64::from(self.next(26)) << 27;
        (high + u64::from(self.next(27))) as f64 / (1u64 << 53) as f64
    }

    /// `nextInt(bound)`.
    fn below(&mut self, bound: i32) -> i32 {
        if bound & (bound - 1) == 0 {
            return ((i64::from(bound) * i64::from(self.next(31))) >> 31) as i32;
        }
        loop {
            let bits = self.next(31) as i32;
            let value = bits % bound;
            if bits.wrapping_sub(value).wrapping_add(bound - 1) >= 0 {
                return value;
            }
        }
    }
}
