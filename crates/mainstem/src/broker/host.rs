//! Where tokio meets the broker: one lock around it, threads for its syncs, a timer for its deadlines.
//! Invariant: inside the lock nothing waits, decodes, encodes or reads files; what a call asks for is carried out after the
//! lock is free again, in the order in which the broker said it. Every request gets its answer or learns that there is none.
//! A panic inside the lock leaves a broker that nobody may trust: it takes no more calls, and says so at once and by
//! [`Host::failed`].
//! An idle broker wakes nothing: threads and timer sleep until there is work.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use mainstem_broker::{
    Action, Broker, Call, CompactTask, ConnectionId, Request, RequestId, Response, SyncTask,
};
use mainstem_core::clock::Clock;
use mainstem_core::{Error, Result};
use tokio::sync::{Notify, oneshot, watch};

use super::ahead::{Answered, Waiter};
use crate::failure::say;

/// Threads that run syncs of logs by themselves: as many can be on their way to the disk at the same time.
const SYNC_THREADS: usize = 3;
/// Who learns that a sync is done writes the answers of at most so many connections itself; more would keep the next sync waiting.
const WRITTEN_MAX: usize = 2;
const NO_DEADLINE: i64 = i64::MAX;

/// The broker has stopped; whoever asks gets no answer.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the broker has stopped")]
pub(crate) struct Stopped;

/// A handle to the one broker of this process; cheap to clone.
#[derive(Clone)]
pub(crate) struct Host(Arc<Shared>);

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

struct Shared {
    core: Mutex<Core>,
    clock: Arc<dyn Clock>,
    /// Writes of the write-ahead log, which all producers wait for: one at a time, by one thread that is there for nothing else.
    wal_syncs: WorkQueue<SyncTask>,
    syncs: WorkQueue<SyncTask>,
    compactions: WorkQueue<CompactTask>,
    /// When the timer rings next; written under the lock of the core.
    armed_ms: AtomicI64,
    rearm: Notify,
    failed: watch::Sender<bool>,
    next_request: AtomicU64,
    next_connection: AtomicU64,
}

struct Core {
    broker: Broker,
    answers: BTreeMap<RequestId, Waits>,
    /// No more calls are taken.
    ended: bool,
}

/// Who waits for an answer.
enum Waits {
    Alone(oneshot::Sender<Response>),
    Ahead(Waiter),
}

/// What is to be done once the lock is free.
#[derive(Default)]
struct Effects {
    answers: Vec<(Waits, Response)>,
    wal_syncs: Vec<SyncTask>,
    syncs: Vec<SyncTask>,
    compactions: Vec<CompactTask>,
    notices: Vec<String>,
    rearm: bool,
}

/// The threads and the timer of a running broker.
#[derive(Debug)]
pub(crate) struct Running {
    host: Host,
    wal_thread: JoinHandle<()>,
    sync_threads: Vec<JoinHandle<()>>,
    timer: tokio::task::JoinHandle<()>,
}

/// A write of the write-ahead log that begins when this is dropped: it takes all that was appended until then.
#[derive(Debug)]
pub(super) struct HeldSync {
    host: Host,
    tasks: Vec<SyncTask>,
}

impl HeldSync {
    /// Whether another sync is under way, which has what is to come after it.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Drop for HeldSync {
    fn drop(&mut self) {
        self.host.0.wal_syncs.push(std::mem::take(&mut self.tasks));
    }
}

/// An answer that may not be there yet.
pub(super) enum Answer {
    Now(Response),
    Later(oneshot::Receiver<Response>),
}

impl Running {
    /// Starts the threads and the timer. Must be called on the runtime.
    pub(crate) fn start(broker: Broker, clock: Arc<dyn Clock>) -> Result<Self> {
        let host = Host(Arc::new(Shared {
            core: Mutex::new(Core { broker, answers: BTreeMap::new(), ended: false }),
            clock,
            wal_syncs: WorkQueue::default(),
            syncs: WorkQueue::default(),
            compactions: WorkQueue::default(),
            armed_ms: AtomicI64::new(NO_DEADLINE),
            rearm: Notify::new(),
            failed: watch::Sender::new(false),
            next_request: AtomicU64::new(1),
            next_connection: AtomicU64::new(1),
        }));
        let wal_thread = start_thread("wal".to_owned(), &host, Host::run_wal_syncs)?;
        let mut sync_threads = Vec::with_capacity(SYNC_THREADS);
        for number in 0..SYNC_THREADS {
            sync_threads.push(start_thread(format!("sync-{number}"), &host, Host::run_syncs)?);
        }
        // Nobody waits for it: a compaction that the end of the process cuts short is begun anew.
        start_thread("compaction".to_owned(), &host, Host::run_compactions)?;
        let timer = tokio::spawn(host.clone().run_timer());
        let running = Self { host, wal_thread, sync_threads, timer };
        // What opening left to be done: syncs and deadlines.
        let _ = running.host.enter(|core, now_ms| (core.broker.tick(now_ms), ()));
        Ok(running)
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Ends the syncs that are under way and closes the broker cleanly. Blocks for as long as the disk takes.
    pub(crate) fn shut_down(self) -> Result<()> {
        self.timer.abort();
        self.host.0.compactions.end();
        // What a panic in a thread has broken, the broker has reported. First the write-ahead log: it makes syncs of logs, which
        // have to run. What these would have of it in turn is not begun, and the close makes it durable.
        self.host.0.wal_syncs.end();
        let _ = self.wal_thread.join();
        self.host.0.syncs.end();
        for thread in self.sync_threads {
            let _ = thread.join();
        }
        self.host.close()
    }
}

fn start_thread(name: String, host: &Host, work: fn(&Host)) -> Result<JoinHandle<()>> {
    let host = host.clone();
    let thread = std::thread::Builder::new().name(name);
    thread
        .spawn(move || work(&host))
        .map_err(|e| Error::internal("the threads of the broker cannot be started").with_source(e))
}

impl Host {
    /// A new connection.
    pub(super) fn connection(&self) -> ConnectionId {
        ConnectionId(self.0.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    /// Hands in a request; the id of the call is given here.
    pub(super) fn call(&self, mut call: Call, request: Request) -> Result<Answer, Stopped> {
        call.id = RequestId(self.0.next_request.fetch_add(1, Ordering::Relaxed));
        self.enter(|core, now_ms| {
            let mut actions = core.broker.handle(now_ms, &call, request);
            let own =
                |action: &Action| matches!(action, Action::Respond { to, .. } if *to == call.id);
            if let Some(index) = actions.iter().position(own)
                && let Action::Respond { response, .. } = actions.remove(index)
            {
                return (actions, Answer::Now(response));
            }
            let (sender, receiver) = oneshot::channel();
            core.answers.insert(call.id, Waits::Alone(sender));
            (actions, Answer::Later(receiver))
        })
    }

    /// Hands in a request whose answer is written by whoever has it; the id of the call is given here. The sync that it needs
    /// is held until the caller has handed in what else has come.
    pub(super) fn call_ahead(
        &self,
        mut call: Call,
        request: Request,
        waiter: Waiter,
    ) -> Result<HeldSync, Stopped> {
        call.id = RequestId(self.0.next_request.fetch_add(1, Ordering::Relaxed));
        let (mut effects, ()) = self.locked(|core, now_ms| {
            core.answers.insert(call.id, Waits::Ahead(waiter));
            (core.broker.handle(now_ms, &call, request), ())
        })?;
        let tasks = std::mem::take(&mut effects.wal_syncs);
        self.carry_out(effects);
        Ok(HeldSync { host: self.clone(), tasks })
    }

    /// A connection has ended.
    pub(super) fn closed(&self, connection: ConnectionId) {
        let _ = self.enter(|core, now_ms| {
            let actions = core.broker.closed(now_ms, connection);
            core.answers.retain(|_, waits| !waits.is_closed());
            (actions, ())
        });
    }

    /// Returns if the broker has met a bug of its own and stands still.
    pub(crate) async fn failed(&self) {
        let mut failed = self.0.failed.subscribe();
        if failed.wait_for(|failed| *failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Answers the fetches that wait for records: the connections are about to be closed.
    pub(super) fn release(&self) {
        let _ = self.enter(|core, now_ms| (core.broker.release(now_ms), ()));
    }

    fn close(&self) -> Result<()> {
        let mut core = self.lock();
        if core.ended {
            return Err(Error::internal("the broker could not be closed cleanly"));
        }
        core.ended = true;
        let now_ms = self.0.clock.now_ms();
        core.broker.close(now_ms).map_err(|e| {
            Error::unavailable("the broker could not be closed cleanly").with_source(e)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        // A panic inside is caught below and ends the core; the mark is what counts.
        self.0.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works inside the lock, and carries out what is to be done then.
    fn enter<R>(
        &self,
        work: impl FnOnce(&mut Core, i64) -> (Vec<Action>, R),
    ) -> Result<R, Stopped> {
        let (effects, result) = self.locked(work)?;
        self.carry_out(effects);
        Ok(result)
    }

    /// The one way into the lock.
    fn locked<R>(
        &self,
        work: impl FnOnce(&mut Core, i64) -> (Vec<Action>, R),
    ) -> Result<(Effects, R), Stopped> {
        let mut effects = Effects::default();
        let result = {
            let mut core = self.lock();
            if core.ended {
                return Err(Stopped);
            }
            let now_ms = self.0.clock.now_ms();
            let worked = catch_unwind(AssertUnwindSafe(|| {
                let (actions, result) = work(&mut core, now_ms);
                effects.sort(actions, &mut core.answers);
                effects.rearm = self.arm(core.broker.next_deadline_ms());
                result
            }));
            match worked {
                Ok(result) => result,
                Err(_) => {
                    core.ended = true;
                    core.answers.clear();
                    self.0.failed.send_replace(true);
                    say("broker: stopped by a bug in Mainstem; nothing is answered any more\n");
                    return Err(Stopped);
                }
            }
        };
        Ok((effects, result))
    }

    /// True if the timer has to be told of an earlier deadline.
    fn arm(&self, next_ms: Option<i64>) -> bool {
        let next_ms = next_ms.unwrap_or(NO_DEADLINE);
        let earlier = next_ms < self.0.armed_ms.load(Ordering::Relaxed);
        if earlier {
            self.0.armed_ms.store(next_ms, Ordering::Release);
        }
        earlier
    }

    fn carry_out(&self, effects: Effects) {
        self.0.wal_syncs.push(effects.wal_syncs);
        self.0.syncs.push(effects.syncs);
        self.0.compactions.push(effects.compactions);
        answer_all(effects.answers);
        if effects.rearm {
            self.0.rearm.notify_one();
        }
        for notice in effects.notices {
            say(&format!("broker: {notice}\n"));
        }
    }

    fn run_wal_syncs(&self) {
        let mut next = self.0.wal_syncs.next().map(|task| self.prepared(task));
        while let Some(mut task) = next {
            let result = task.run();
            // Whatever came meanwhile goes with the next one, without another turn of the lock.
            let synced = self.locked(|core, now_ms| {
                let mut actions = core.broker.synced(now_ms, task, result);
                let next = take_wal_sync(&mut actions).map(|mut task| {
                    core.broker.prepare_sync(&mut task);
                    task
                });
                (actions, next)
            });
            let (effects, following) = synced.unwrap_or_default();
            self.carry_out(effects);
            next = following.or_else(|| self.0.wal_syncs.next().map(|task| self.prepared(task)));
        }
    }

    fn run_syncs(&self) {
        let mut next = self.0.syncs.next();
        while let Some(task) = next {
            let mut task = self.prepared(task);
            let result = task.run();
            let synced = self.locked(|core, now_ms| (core.broker.synced(now_ms, task, result), ()));
            let mut effects = synced.map(|(effects, ())| effects).unwrap_or_default();
            let syncs = std::mem::take(&mut effects.syncs);
            self.carry_out(effects);
            next = self.0.syncs.exchange(syncs);
        }
    }

    /// A sync that is about to run.
    fn prepared(&self, mut task: SyncTask) -> SyncTask {
        let _ = self.enter(|core, _| {
            core.broker.prepare_sync(&mut task);
            (Vec::new(), ())
        });
        task
    }

    fn run_compactions(&self) {
        while let Some(task) = self.0.compactions.next() {
            let done = task.run();
            let _ = self.enter(|core, now_ms| (core.broker.compacted(now_ms, done), ()));
        }
    }

    async fn run_timer(self) {
        loop {
            let at_ms = self.0.armed_ms.load(Ordering::Acquire);
            if at_ms == NO_DEADLINE {
                self.0.rearm.notified().await;
                continue;
            }
            let left_ms = at_ms.saturating_sub(self.0.clock.now_ms());
            if let Ok(left_ms @ 1..) = u64::try_from(left_ms) {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(left_ms)) => {}
                    () = self.0.rearm.notified() => {}
                }
                continue;
            }
            let ticked = self.enter(|core, now_ms| {
                self.0.armed_ms.store(NO_DEADLINE, Ordering::Release);
                (core.broker.tick(now_ms), ())
            });
            if ticked.is_err() {
                return;
            }
        }
    }
}

fn take_wal_sync(actions: &mut Vec<Action>) -> Option<SyncTask> {
    let wanted = |action: &Action| matches!(action, Action::Sync(task) if task.is_of_wal());
    let at = actions.iter().position(wanted)?;
    match actions.remove(at) {
        Action::Sync(task) => Some(task),
        _ => None,
    }
}

impl Effects {
    fn sort(&mut self, actions: Vec<Action>, waiting: &mut BTreeMap<RequestId, Waits>) {
        for action in actions {
            match action {
                Action::Respond { to, response } => {
                    self.answers.extend(waiting.remove(&to).map(|waits| (waits, response)));
                }
                // Whoever waits sees that there will be no answer.
                Action::Disconnect { to } => drop(waiting.remove(&to)),
                Action::Sync(task) if task.is_of_wal() => self.wal_syncs.push(task),
                Action::Sync(task) => self.syncs.push(task),
                Action::Compact(task) => self.compactions.push(task),
                Action::Notice(text) => self.notices.push(text),
            }
        }
    }
}

impl Waits {
    fn is_closed(&self) -> bool {
        match self {
            Self::Alone(sender) => sender.is_closed(),
            Self::Ahead(waiter) => waiter.is_closed(),
        }
    }
}

fn answer_all(answers: Vec<(Waits, Response)>) {
    let mut answered = Vec::new();
    for (waits, response) in answers {
        match waits {
            // Nobody waits any more: the connection is gone.
            Waits::Alone(sender) => drop(sender.send(response)),
            Waits::Ahead(waiter) => answered.push(waiter.answer(response)),
        }
    }
    let answered = Answered::distinct(answered);
    let write = match answered.len() {
        ..=WRITTEN_MAX => Answered::write,
        _ => Answered::leave_to_task,
    };
    answered.into_iter().for_each(write);
}

impl Answer {
    /// The answer, once it is there.
    pub(super) async fn wait(self) -> Result<Response, Stopped> {
        match self {
            Answer::Now(response) => Ok(response),
            Answer::Later(receiver) => receiver.await.map_err(|_| Stopped),
        }
    }
}

/// Work that waits for a thread. The broker bounds it: one piece a log.
struct WorkQueue<T> {
    state: Mutex<QueueState<T>>,
    filled: Condvar,
}

struct QueueState<T> {
    tasks: VecDeque<T>,
    /// Threads end when nothing is left to do.
    ending: bool,
}

impl<T> Default for WorkQueue<T> {
    fn default() -> Self {
        let state = QueueState { tasks: VecDeque::new(), ending: false };
        Self { state: Mutex::new(state), filled: Condvar::new() }
    }
}

impl<T> WorkQueue<T> {
    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, tasks: Vec<T>) {
        let count = tasks.len();
        if count > 0 {
            self.lock().tasks.extend(tasks);
            (0..count).for_each(|_| self.filled.notify_one());
        }
    }

    /// Hands in the work that a thread's last piece has made, and takes the oldest for it: no other thread is woken for what
    /// this one is awake for.
    fn exchange(&self, tasks: Vec<T>) -> Option<T> {
        let mut state = self.lock();
        let others = tasks.len().saturating_sub(1);
        state.tasks.extend(tasks);
        let Some(next) = state.tasks.pop_front() else {
            drop(state);
            return self.next();
        };
        drop(state);
        (0..others).for_each(|_| self.filled.notify_one());
        Some(next)
    }

    /// Waits for work; `None` once there will be none.
    fn next(&self) -> Option<T> {
        let waits = |state: &mut QueueState<T>| state.tasks.is_empty() && !state.ending;
        let state = self.filled.wait_while(self.lock(), waits);
        state.unwrap_or_else(PoisonError::into_inner).tasks.pop_front()
    }

    fn end(&self) {
        self.lock().ending = true;
        self.filled.notify_all();
    }
}

#[cfg(test)]
mod tests;
