//! The broker of the simulated process, and the way of connectors to it.
//! Invariant: it does what the shell's host does with actions; when a sync runs, and when time passes, is decided by whoever
//! takes [`Host::turn`]s.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt as _};
use mainstem_broker::{Action, Broker, CompactTask, Request, Response, Settings, SyncTask};
use mainstem_connectors::kafka::embedded::{Answers, Caller};
use mainstem_core::clock::{Clock as _, ManualClock, Rng};
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_log::{FaultyDisk, LogError};

/// A handle to the broker; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Host {
    core: Arc<Mutex<Core>>,
    clock: Arc<ManualClock>,
}

#[derive(Debug)]
struct Core {
    broker: Broker,
    answers: Answers,
    syncs: Vec<SyncTask>,
    compactions: Vec<CompactTask>,
}

impl Core {
    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Respond { to, response } => self.answers.respond(to, response),
                Action::Disconnect { to } => self.answers.disconnect(to),
                Action::Sync(task) => self.syncs.push(task),
                Action::Compact(task) => self.compactions.push(task),
                Action::Notice(_) => {}
            }
        }
    }
}

impl Host {
    /// Starts a broker on what the disk has.
    pub(super) fn open(disk: &FaultyDisk, clock: &Arc<ManualClock>, seed: u64) -> Result<Self> {
        let settings =
            Settings { partitions_default: 2, log_checkpoint_bytes: 1_000, ..Settings::default() };
        let opened = Broker::open(settings, Arc::new(disk.clone()), Rng::new(seed), clock.now_ms());
        let opened = opened.map_err(|e| {
            let kind = match e {
                LogError::Corrupt { .. } => ErrorKind::Corrupt,
                _ => ErrorKind::Unavailable,
            };
            Error::new(kind, format!("the broker does not start: {e:?}"))
        })?;
        let core = Core {
            broker: opened.broker,
            answers: Answers::default(),
            syncs: Vec::new(),
            compactions: Vec::new(),
        };
        Ok(Self { core: Arc::new(Mutex::new(core)), clock: Arc::clone(clock) })
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().expect("no holder of this lock panics")
    }

    /// Does a piece of what waits to be done.
    pub(super) fn turn(&self, rng: &mut Rng) {
        let (mut core, now_ms) = (self.core(), self.clock.now_ms());
        let core = &mut *core;
        let (syncs, all) = (core.syncs.len(), core.syncs.len() + core.compactions.len());
        let drawn = rng.below(all as u64 + 1) as usize;
        let actions = if drawn < syncs {
            let mut task = core.syncs.remove(drawn);
            core.broker.prepare_sync(&mut task);
            let result = task.run();
            core.broker.synced(now_ms, task, result)
        } else if drawn < all {
            let done = core.compactions.remove(drawn - syncs).run();
            core.broker.compacted(now_ms, done)
        } else if core.broker.next_deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            core.broker.tick(now_ms)
        } else {
            Vec::new()
        };
        core.perform(actions);
    }
}

impl Caller for Host {
    fn begin(
        &self,
        version: i16,
        request: Request,
    ) -> Result<BoxFuture<'static, Result<Response>>> {
        let mut core = self.core();
        let (call, answer) = core.answers.call(version);
        let actions = core.broker.handle(self.clock.now_ms(), &call, request);
        core.perform(actions);
        Ok(answer)
    }

    fn pause(&self) -> BoxFuture<'_, ()> {
        let mut polled = false;
        let again = move |_: &mut Context<'_>| match std::mem::replace(&mut polled, true) {
            false => Poll::Pending,
            true => Poll::Ready(()),
        };
        poll_fn(again).boxed()
    }
}
