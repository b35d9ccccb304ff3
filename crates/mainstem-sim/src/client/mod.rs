//! Simulated clients: what a client library does, as state machines that are woken, answered and cut off.
//! Invariant: a client knows only what it was answered. It has one connection and one timer; it counts on nothing that a
//! network, a broker or a disk may take away.

use std::ops::RangeInclusive;

use mainstem_broker::wire::{KafkaEncode, KafkaRequest};
use mainstem_core::clock::Rng;

use crate::check::{Model, Note};
use crate::frame::{self, Answer, Frame};
use crate::trace::Trace;

pub(crate) mod admin;
pub(crate) mod auditor;
mod identity;
pub(crate) mod member;
pub(crate) mod producer;
pub(crate) mod reader;
pub(crate) mod renewer;
pub(crate) mod transactor;

/// One client.
pub(crate) trait Client: std::fmt::Debug {
    /// Its time has come.
    fn wake(&mut self, cx: &mut Cx<'_>);
    /// What it asked under `tag` was answered.
    fn answered(&mut self, tag: u64, answer: &Answer, cx: &mut Cx<'_>);
    /// Its connection is gone: nothing that it asked will be answered.
    fn cut(&mut self, cx: &mut Cx<'_>);
    /// Whether it has done all it wanted to do; asked when the world has become calm.
    fn is_done(&self) -> bool;
}

/// What Kafka's error codes say: 0 is none.
fn ok(code: i16) -> Result<(), i16> {
    if code == 0 { Ok(()) } else { Err(code) }
}

/// What a client can see and do.
#[derive(Debug)]
pub(crate) struct Cx<'a> {
    pub(crate) rng: &'a mut Rng,
    pub(crate) now_us: i64,
    pub(crate) model: &'a mut Model,
    pub(crate) trace: &'a mut Trace,
    /// Nothing fails any more: end what you have begun.
    pub(crate) calm: bool,
    pub(crate) number: usize,
    pub(crate) effects: Vec<Effect>,
}

/// What a client does to the world.
#[derive(Debug)]
pub(crate) enum Effect {
    Send {
        tag: u64,
        frame: Frame,
        note: Option<Note>,
    },
    /// Replaces the timer.
    Wake {
        at_us: i64,
    },
    /// Closes its own connection.
    Cut,
}

impl Cx<'_> {
    pub(crate) fn now_ms(&self) -> i64 {
        self.now_us / 1_000
    }

    /// Sends a request in some version.
    pub(crate) fn send<R: KafkaRequest + KafkaEncode>(&mut self, tag: u64, request: &R) {
        self.send_within(tag, 0..=i16::MAX, None, request);
    }

    /// Sends a request in some version of a range.
    pub(crate) fn send_within<R: KafkaRequest + KafkaEncode>(
        &mut self,
        tag: u64,
        versions: RangeInclusive<i16>,
        note: Option<Note>,
        request: &R,
    ) {
        let version = frame::some_version::<R>(self.rng, versions);
        let frame = frame::frame(version, request);
        self.effects.push(Effect::Send { tag, frame, note });
    }

    /// Sets the timer to somewhere between half and all of `within_us` from now.
    pub(crate) fn wake_within(&mut self, within_us: u64) {
        let at_us = self.now_us + (within_us / 2 + self.rng.below(within_us / 2 + 1)) as i64;
        self.effects.push(Effect::Wake { at_us });
    }

    /// Sets the timer: once in `of` times soon, else later.
    pub(crate) fn wake_sometimes(&mut self, of: u64, soon_us: u64, later_us: u64) {
        let within_us = if self.once_in(of) { soon_us } else { later_us };
        self.wake_within(within_us);
    }

    pub(crate) fn cut(&mut self) {
        self.effects.push(Effect::Cut);
    }

    pub(crate) fn say(&mut self, what: std::fmt::Arguments<'_>) {
        let number = self.number;
        self.trace.say(self.now_us, format_args!("client {number}: {what}"));
    }

    /// True once in `of` times.
    pub(crate) fn once_in(&mut self, of: u64) -> bool {
        self.rng.below(of) == 0
    }
}
