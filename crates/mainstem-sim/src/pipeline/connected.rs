//! A sink of the simulated pipeline that is a connector, and what the shell's task does with it: one thing at a time, in the
//! order in which the engine said it; commits come between.
//! Invariant: it goes on only when it is polled, so the seed decides how far it is when anything else happens.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::future::{BoxFuture, FutureExt as _};
use mainstem_connectors::api::Sink;
use mainstem_core::clock::Rng;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::manifest::{CheckpointId, Opaque};
use tokio::runtime::Runtime;

/// What is asked of it.
enum Order {
    Write(Box<Encoded>),
    /// Everything before it becomes durable; so many rows of the input are then.
    Flush(usize),
    Prepare(CheckpointId),
}

/// What it has done.
pub(super) enum Done {
    Written,
    Flushed(usize),
    Prepared(CheckpointId, Option<Opaque>),
    Committed(Vec<Opaque>),
}

/// An open sink.
pub(super) struct Connected {
    /// `None` while it is busy.
    sink: Option<Box<dyn Sink>>,
    encoder: Box<dyn Encode>,
    orders: VecDeque<Order>,
    commits: VecDeque<Vec<Opaque>>,
    busy: Option<BoxFuture<'static, (Box<dyn Sink>, Result<Done>)>>,
    /// Of a sink that works on threads: each of its calls is waited for.
    threads: Option<Arc<Runtime>>,
}

impl Connected {
    /// A sink that is open, and staged if it takes part in checkpoints.
    pub(super) fn new(sink: Box<dyn Sink>, threads: Option<Arc<Runtime>>) -> Result<Self> {
        Ok(Self {
            encoder: sink.encoder()?,
            sink: Some(sink),
            orders: VecDeque::new(),
            commits: VecDeque::new(),
            busy: None,
            threads,
        })
    }

    pub(super) fn write(&mut self, batch: &Batch) -> Result<()> {
        let encoded = self.encoder.encode(batch)?;
        if encoded.rows() > 0 {
            self.orders.push_back(Order::Write(Box::new(encoded)));
        }
        Ok(())
    }

    pub(super) fn flush(&mut self, rows: usize) {
        self.orders.push_back(Order::Flush(rows));
    }

    pub(super) fn prepare(&mut self, id: CheckpointId) {
        self.orders.push_back(Order::Prepare(id));
    }

    pub(super) fn commit(&mut self, tokens: Vec<Opaque>) {
        self.commits.push_back(tokens);
    }

    /// It has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.busy.is_none() && self.orders.is_empty() && self.commits.is_empty()
    }

    /// Goes on a little; what it has done, if that comes to an end.
    pub(super) fn advance(&mut self, rng: &mut Rng) -> Result<Option<Done>> {
        if self.busy.is_none() {
            self.begin(rng)?;
        }
        let Some(mut busy) = self.busy.take() else { return Ok(None) };
        let done = match &self.threads {
            Some(threads) => Poll::Ready(threads.block_on(busy.as_mut())),
            None => busy.as_mut().poll(&mut Context::from_waker(Waker::noop())),
        };
        match done {
            Poll::Ready((sink, done)) => {
                self.sink = Some(sink);
                done.map(Some)
            }
            Poll::Pending => {
                self.busy = Some(busy);
                Ok(None)
            }
        }
    }

    fn begin(&mut self, rng: &mut Rng) -> Result<()> {
        let commits_first = self.orders.is_empty() || rng.below(2) == 0;
        let tokens = if commits_first { self.commits.pop_front() } else { None };
        let order = if tokens.is_none() { self.orders.pop_front() } else { None };
        if tokens.is_none() && order.is_none() {
            return Ok(());
        }
        let sink = self.sink.take();
        let mut sink = sink.ok_or_else(|| Error::internal("a sink is asked while it is busy"))?;
        let work = async move {
            let done = match (tokens, order) {
                (Some(tokens), _) => {
                    let bytes: Vec<_> = tokens.iter().map(|token| token.0.clone()).collect();
                    sink.commit(&bytes).await.map(|()| Done::Committed(tokens))
                }
                (_, Some(Order::Write(data))) => sink.write(*data).await.map(|()| Done::Written),
                (_, Some(Order::Flush(rows))) => sink.flush().await.map(|()| Done::Flushed(rows)),
                (_, Some(Order::Prepare(id))) => {
                    sink.prepare().await.map(|token| Done::Prepared(id, token.map(Opaque)))
                }
                (None, None) => Ok(Done::Written),
            };
            (sink, done)
        };
        self.busy = Some(work.boxed());
        Ok(())
    }
}
