//! The world: one queue of events in virtual time, a broker on a faulty disk, connections, and the shell around the broker.
//! Invariant: everything is decided by the one generator of the seed; two events never happen at once. What the shell does with
//! actions is done here as it does it: work of a log on another thread (here: later), files of a fetch read after the lock, one
//! request of a connection at a time.
//! Bits of what is stored may flip (`world/flips.rs`).
//! A crash may come between two events, or after any operation of the disk within one.

mod flips;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use mainstem_broker::wire::{Head, decode_request, encode_response};
use mainstem_broker::{
    Action, Broker, Call, CompactTask, Compacted, ConnectionId, Endpoint, RequestId, Response,
    Settings, SyncTask,
};
use mainstem_core::clock::Rng;
use mainstem_core::disk::Disk as _;
use mainstem_log::{Faults, FaultyDisk, LogError, WalSettings};

use crate::check::{Model, Note};
use crate::client::{Client, Cx, Effect};
use crate::frame::{Answer, Frame, When, api_name};
use crate::trace::Trace;

/// The time at which worlds begin.
pub(crate) const BEGIN_US: i64 = 1_700_000_000_000_000;
/// Has a folder for every topic.
const TOPICS: &str = "topics";
/// A broker that is woken so often at the same time has nothing to do and does not know it.
const TICKS_MAX: u32 = 200;

/// How a broker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The process is killed; the machine runs on.
    Kill,
    /// The machine loses what was not synced.
    PowerLoss,
    /// It is asked to.
    Clean,
}

#[derive(Debug)]
enum Event {
    Wake { client: usize, timer: u64 },
    Arrive { connection: u64, tag: u64, frame: Frame, note: Option<Note> },
    Pump { connection: u64 },
    Load { id: RequestId, waiting: Waiting, when: When, response: Box<Response> },
    Deliver { connection: u64, tag: u64, answer: Answer },
    Cut { client: usize, connection: u64 },
    Closed { life: u32, connection: u64 },
    Run { life: u32, task: u64 },
    Report { life: u32, task: u64, result: io::Result<()> },
    Compact { life: u32, task: Box<CompactTask> },
    Compacted { life: u32, done: Box<Compacted> },
    Tick { life: u32 },
    Stop(Stop),
    Start,
    Faults,
    Flip,
}

#[derive(Debug)]
struct Slot {
    client: Option<Box<dyn Client>>,
    timer: u64,
    connection: Option<u64>,
}

#[derive(Debug, Default)]
struct Connection {
    client: usize,
    inbox: VecDeque<(u64, Frame, Option<Note>)>,
    busy: bool,
    /// The client has closed it; the broker does not know yet.
    gone: bool,
    arrives_us: i64,
    delivers_us: i64,
}

#[derive(Debug)]
struct Waiting {
    connection: u64,
    tag: u64,
    head: Head,
    arrived: u64,
}

/// How badly things go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// The longest life of a broker.
    pub(crate) life_ms_max: u64,
    /// Disks fail for a while.
    pub(crate) faults: bool,
    /// Stored bits flip.
    pub(crate) flips: bool,
    /// The longest that a sync takes.
    pub(crate) sync_us_max: u64,
}

/// One run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) now_us: i64,
    pub(crate) model: Model,
    pub(crate) trace: Trace,
    pub(crate) calm: bool,
    pub(crate) steps: u64,
    pub(crate) life: u32,
    weather: Weather,
    disk: FaultyDisk,
    settings: Settings,
    broker: Option<Broker>,
    queue: BTreeMap<(i64, u64), Event>,
    queued: u64,
    slots: Vec<Slot>,
    connections: BTreeMap<u64, Connection>,
    last_connection: u64,
    calls: BTreeMap<RequestId, Waiting>,
    /// Their connections were reported closed: they are answered or not.
    dropped: BTreeSet<RequestId>,
    last_call: u64,
    tasks: BTreeMap<u64, SyncTask>,
    last_task: u64,
    armed_us: i64,
    ticks: (i64, u32),
    stop_kind: Stop,
    failed_starts: u32,
    /// Nothing more can be asked of this run: what the broker knew was damaged, and it said so.
    pub(crate) over: bool,
}

impl World {
    pub(crate) fn new(mut rng: Rng, model: Model, weather: Weather, watched: bool) -> Self {
        let disk = FaultyDisk::new(rng.next_u64());
        let settings = Settings {
            auto_create_topics: false,
            group_session_timeout_ms_min: 100,
            log_checkpoint_bytes: 1_000,
            // So small that laps are many.
            wal: WalSettings { bytes: 32 << 10, bytes_max: 64 << 10 },
            ..Settings::default()
        };
        let mut world = Self {
            rng,
            now_us: BEGIN_US,
            model,
            trace: Trace::new(watched),
            calm: false,
            steps: 0,
            life: 0,
            weather,
            disk,
            settings,
            broker: None,
            queue: BTreeMap::new(),
            queued: 0,
            slots: Vec::new(),
            connections: BTreeMap::new(),
            last_connection: 0,
            calls: BTreeMap::new(),
            dropped: BTreeSet::new(),
            last_call: 0,
            tasks: BTreeMap::new(),
            last_task: 0,
            armed_us: i64::MAX,
            ticks: (0, 0),
            stop_kind: Stop::Kill,
            failed_starts: 0,
            over: false,
        };
        world.after(0, Event::Start);
        if weather.faults {
            world.after(1_000_000, Event::Faults);
        }
        if weather.flips {
            let delay = 1_000_000 + world.rng.below(10_000_000);
            world.after(delay, Event::Flip);
        }
        world
    }

    pub(crate) fn add(&mut self, client: Box<dyn Client>) -> usize {
        let number = self.slots.len();
        self.slots.push(Slot { client: Some(client), timer: 0, connection: None });
        let delay_us = self.rng.below(500_000) as i64;
        self.set_timer(number, self.now_us + delay_us);
        number
    }

    /// Lets time pass until `done` or until the time is over; true if `done`.
    pub(crate) fn run(&mut self, until_us: i64, done: impl Fn(&Self) -> bool) -> bool {
        while !done(self) {
            if self.model.violation().is_some() || self.over {
                return false;
            }
            let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= until_us)
            else {
                self.now_us = self.now_us.max(until_us);
                return false;
            };
            let ((at_us, _), event) = entry.remove_entry();
            self.now_us = self.now_us.max(at_us);
            self.steps += 1;
            self.happen(event);
        }
        true
    }

    pub(crate) fn is_done(&self, number: usize) -> bool {
        self.slots[number].client.as_ref().is_some_and(|client| client.is_done())
    }

    pub(crate) fn clients(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn describe(&self, number: usize) -> String {
        format!("{:?}", self.slots[number].client)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.broker.is_some()
    }

    /// From here on nothing fails any more.
    pub(crate) fn calm_down(&mut self) {
        self.calm = true;
        self.disk.set_faults(Faults::NONE);
        self.disk.stop_after(u64::MAX);
        let stop = [Stop::Kill, Stop::PowerLoss, Stop::Clean][self.rng.below(3) as usize];
        self.stop(stop);
        for number in 0..self.slots.len() {
            self.set_timer(number, self.now_us + 1_000);
        }
    }

    /// Takes a client out of the world.
    pub(crate) fn retire(&mut self, number: usize) {
        self.slots[number].client = None;
        if let Some(connection) = self.slots[number].connection.take() {
            self.client_closes(connection);
        }
    }

    /// Requests that are neither answered nor given up.
    pub(crate) fn unanswered(&self) -> Vec<String> {
        let name =
            |waiting: &Waiting| format!("{} of {}", api_name(waiting.head.api_key), waiting.tag);
        self.calls.values().map(name).collect()
    }

    fn after(&mut self, delay_us: u64, event: Event) {
        self.at(self.now_us + delay_us as i64, event);
    }

    fn at(&mut self, at_us: i64, event: Event) {
        self.queued += 1;
        self.queue.insert((at_us, self.queued), event);
    }

    /// A short time, now and then a long one.
    fn delay(&mut self, short_us: u64, long_us: u64) -> u64 {
        let bound = if self.rng.below(10) == 0 { long_us } else { short_us };
        self.rng.below(bound + 1)
    }

    fn now_ms(&self) -> i64 {
        self.now_us / 1_000
    }

    fn set_timer(&mut self, client: usize, at_us: i64) {
        let timer = self.queued + 1;
        self.slots[client].timer = timer;
        self.at(at_us.max(self.now_us), Event::Wake { client, timer });
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { client, timer } => {
                if self.slots[client].timer == timer {
                    self.with_client(client, |client, cx| client.wake(cx));
                }
            }
            Event::Arrive { connection, tag, frame, note } => {
                if let Some(open) = self.connections.get_mut(&connection) {
                    open.inbox.push_back((tag, frame, note));
                    self.pump(connection);
                }
            }
            Event::Pump { connection } => self.pump(connection),
            Event::Load { id, waiting, when, response } => {
                if when.life == self.life {
                    self.answer(id, waiting, when, *response);
                }
            }
            Event::Deliver { connection, tag, answer } => self.deliver(connection, tag, &answer),
            Event::Cut { client, connection } => {
                if self.slots[client].connection == Some(connection) {
                    self.slots[client].connection = None;
                    self.with_client(client, |client, cx| client.cut(cx));
                }
            }
            Event::Closed { life, connection } => {
                if life == self.life {
                    self.broker_closes(connection);
                }
            }
            Event::Run { life, task } => self.run_task(life, task),
            Event::Report { life, task, result } => self.report(life, task, result),
            Event::Compact { life, task } => {
                if life == self.life {
                    let done = Box::new(task.run());
                    if !self.stopped() {
                        self.flip_compaction();
                        let delay = self.delay(1_000, 1_000_000);
                        self.after(delay, Event::Compacted { life, done });
                    }
                }
            }
            Event::Compacted { life, done } => {
                if life == self.life {
                    self.trace.say(self.now_us, format_args!("compacted"));
                    if self.weather.flips && !self.calm && self.rng.below(3) == 0 {
                        // A start that finds a swap that was decided is rare, and what it finds may be damaged.
                        self.stop_kind = [Stop::Kill, Stop::PowerLoss][self.rng.below(2) as usize];
                        self.disk.stop_after(1 + self.rng.below(12));
                    }
                    self.enter(|broker, now_ms| broker.compacted(now_ms, *done));
                }
            }
            Event::Tick { life } => self.tick(life),
            Event::Stop(stop) => {
                if !self.calm {
                    self.plan_stop(stop);
                }
            }
            Event::Start => self.start(),
            Event::Faults => self.change_faults(),
            Event::Flip => self.flip(),
        }
    }

    fn with_client(&mut self, number: usize, act: impl FnOnce(&mut dyn Client, &mut Cx<'_>)) {
        let Some(mut client) = self.slots[number].client.take() else { return };
        let mut cx = Cx {
            rng: &mut self.rng,
            now_us: self.now_us,
            model: &mut self.model,
            trace: &mut self.trace,
            calm: self.calm,
            number,
            effects: Vec::new(),
        };
        act(&mut *client, &mut cx);
        let effects = cx.effects;
        self.slots[number].client = Some(client);
        for effect in effects {
            match effect {
                Effect::Send { tag, frame, note } => self.send(number, tag, frame, note),
                Effect::Wake { at_us } => self.set_timer(number, at_us),
                Effect::Cut => {
                    if let Some(connection) = self.slots[number].connection {
                        self.client_closes(connection);
                        self.after(0, Event::Cut { client: number, connection });
                    }
                }
            }
        }
    }

    fn send(&mut self, client: usize, tag: u64, frame: Frame, note: Option<Note>) {
        let connection = match self.slots[client].connection {
            Some(connection) => connection,
            None => {
                self.last_connection += 1;
                let connection = self.last_connection;
                self.slots[client].connection = Some(connection);
                if self.broker.is_none() {
                    // Refused.
                    self.after(1_000, Event::Cut { client, connection });
                    return;
                }
                let open = Connection { client, ..Connection::default() };
                self.connections.insert(connection, open);
                connection
            }
        };
        let delay = self.delay(300, 5_000) as i64;
        let now_us = self.now_us;
        // Cut off, and the client has not noticed: it goes nowhere.
        let Some(open) = self.connections.get_mut(&connection) else { return };
        open.arrives_us = open.arrives_us.max(now_us + delay);
        let at_us = open.arrives_us;
        self.at(at_us, Event::Arrive { connection, tag, frame, note });
    }

    /// What is on its way may still arrive, or not.
    fn client_closes(&mut self, connection: u64) {
        let delay = self.delay(200, 20_000);
        if let Some(open) = self.connections.get_mut(&connection) {
            open.gone = true;
            self.after(delay, Event::Closed { life: self.life, connection });
        }
    }

    fn broker_closes(&mut self, connection: u64) {
        let Some(open) = self.connections.remove(&connection) else { return };
        let calls = self.calls.iter().filter(|(_, waiting)| waiting.connection == connection);
        let calls: Vec<RequestId> = calls.map(|(id, _)| *id).collect();
        for id in calls {
            self.calls.remove(&id);
            self.dropped.insert(id);
        }
        if !open.gone {
            let delay = self.delay(300, 5_000);
            self.after(delay, Event::Cut { client: open.client, connection });
        }
        self.enter(|broker, now_ms| broker.closed(now_ms, ConnectionId(connection)));
    }

    fn pump(&mut self, connection: u64) {
        let Some(open) = self.connections.get_mut(&connection).filter(|open| !open.busy) else {
            return;
        };
        let Some((tag, frame, note)) = open.inbox.pop_front() else { return };
        open.busy = true;
        if let Some(note) = &note {
            self.model.arrived(note, self.steps);
        }
        let (head, request) = match decode_request(frame.bytes) {
            Ok(decoded) => decoded,
            Err(e) => {
                let api = api_name(frame.api_key);
                return self.model.fail(format!("{api} {} is not understood: {e}", frame.version));
            }
        };
        self.last_call += 1;
        let id = RequestId(self.last_call);
        self.trace.say(
            self.now_us,
            format_args!(
                "#{} {} v{} from {}",
                id.0,
                api_name(head.api_key),
                head.version,
                open.client
            ),
        );
        let call = Call {
            id,
            connection: ConnectionId(connection),
            version: head.version,
            client_id: head.client_id.clone(),
            client_host: "127.0.0.1".into(),
            advertised: Arc::new(Endpoint { host: "localhost".into(), port: 9092 }),
        };
        self.calls.insert(id, Waiting { connection, tag, head, arrived: self.steps });
        self.enter(|broker, now_ms| broker.handle(now_ms, &call, request));
    }

    /// The one way into the broker, and what follows from it.
    fn enter(&mut self, act: impl FnOnce(&mut Broker, i64) -> Vec<Action>) {
        let now_ms = self.now_ms();
        let Some(broker) = &mut self.broker else { return };
        let actions = act(broker, now_ms);
        // Whoever was stopped has said nothing.
        if self.stopped() {
            return;
        }
        for action in actions {
            self.perform(action);
        }
        self.arm();
    }

    fn arm(&mut self) {
        let Some(at_ms) = self.broker.as_ref().and_then(Broker::next_deadline_ms) else { return };
        let at_us = at_ms.saturating_mul(1_000).max(self.now_us);
        if at_us < self.armed_us {
            self.armed_us = at_us;
            self.at(at_us, Event::Tick { life: self.life });
        }
    }

    fn tick(&mut self, life: u32) {
        if life != self.life || self.armed_us > self.now_us {
            return;
        }
        self.armed_us = i64::MAX;
        self.ticks = match self.ticks {
            (at, count) if at == self.now_us => (at, count + 1),
            _ => (self.now_us, 1),
        };
        if self.ticks.1 > TICKS_MAX {
            return self.model.fail("the broker is woken without end and does nothing".to_owned());
        }
        self.enter(Broker::tick);
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Respond { to, response } => match self.calls.remove(&to) {
                Some(waiting) => {
                    let delay = self.delay(100, 10_000);
                    let response = Box::new(response);
                    let (arrived, answered) = (waiting.arrived, self.steps);
                    let when = When { arrived, answered, life: self.life };
                    self.after(delay, Event::Load { id: to, waiting, when, response });
                }
                None if self.dropped.contains(&to) => {}
                None => self.model.fail(format!("request {} was answered twice", to.0)),
            },
            Action::Disconnect { to } => match self.calls.get(&to) {
                Some(waiting) => {
                    let connection = waiting.connection;
                    self.trace.say(self.now_us, format_args!("#{} gets no answer", to.0));
                    self.after(0, Event::Closed { life: self.life, connection });
                }
                None if self.dropped.contains(&to) => {}
                None => self.model.fail(format!("request {} was cut off after its answer", to.0)),
            },
            Action::Sync(task) => {
                self.last_task += 1;
                self.tasks.insert(self.last_task, task);
                let delay = self.delay(500, self.weather.sync_us_max);
                self.after(delay, Event::Run { life: self.life, task: self.last_task });
            }
            Action::Compact(task) => {
                let delay = self.delay(1_000, 1_000_000);
                self.after(delay, Event::Compact { life: self.life, task: Box::new(task) });
            }
            Action::Notice(text) => {
                self.trace.say(self.now_us, format_args!("notice: {text}"));
            }
        }
    }

    /// Reads what an answer has in files, and writes it to its connection.
    fn answer(&mut self, id: RequestId, waiting: Waiting, when: When, response: Response) {
        let connection = waiting.connection;
        let outbound = match encode_response(&waiting.head, &response) {
            Ok(outbound) => outbound,
            Err(e) => return self.model.fail(format!("#{} cannot be written: {e}", id.0)),
        };
        let bytes = match outbound.read() {
            Ok(bytes) => bytes,
            Err(e) => {
                return self.model.fail(format!("the records of #{} cannot be read: {e}", id.0));
            }
        };
        let delay = self.delay(300, 5_000) as i64;
        let now_us = self.now_us;
        let Some(open) = self.connections.get_mut(&connection) else { return };
        open.busy = false;
        open.delivers_us = open.delivers_us.max(now_us + delay);
        let at_us = open.delivers_us;
        self.after(1, Event::Pump { connection });
        if !bytes.is_empty() {
            self.trace.say(self.now_us, format_args!("#{} answered, {} bytes", id.0, bytes.len()));
            let answer = Answer { version: waiting.head.version, bytes, when };
            self.at(at_us, Event::Deliver { connection, tag: waiting.tag, answer });
        }
    }

    fn deliver(&mut self, connection: u64, tag: u64, answer: &Answer) {
        let client = self.slots.iter().position(|slot| slot.connection == Some(connection));
        // An answer that is on its way outlives the broker; not the client's closing.
        if let Some(client) = client {
            let gone = self.connections.get(&connection).is_some_and(|open| open.gone);
            if !gone {
                self.with_client(client, |client, cx| client.answered(tag, answer, cx));
            }
        }
    }

    fn run_task(&mut self, life: u32, task: u64) {
        if life != self.life {
            return;
        }
        let Some(work) = self.tasks.get_mut(&task) else { return };
        if let Some(broker) = &mut self.broker {
            broker.prepare_sync(work);
        }
        let result = work.run();
        if !self.stopped() {
            let delay = self.delay(300, 10_000);
            self.after(delay, Event::Report { life, task, result });
        }
    }

    fn report(&mut self, life: u32, task: u64, result: io::Result<()>) {
        if life != self.life {
            return;
        }
        let Some(work) = self.tasks.remove(&task) else { return };
        self.trace.say(self.now_us, format_args!("sync {task}: {result:?}"));
        self.enter(|broker, now_ms| broker.synced(now_ms, work, result));
    }

    /// If the machine was to stop within what was just done, it stops.
    fn stopped(&mut self) -> bool {
        if !self.disk.is_stopped() {
            return false;
        }
        self.end(self.stop_kind);
        true
    }

    /// Stops now, or within one of the next operations of the disk.
    fn plan_stop(&mut self, stop: Stop) {
        if self.broker.is_none() {
            return;
        }
        if stop != Stop::Clean && self.rng.below(3) > 0 {
            self.stop_kind = stop;
            let operations = 1 + self.rng.below(30);
            self.trace.say(self.now_us, format_args!("{stop:?} after {operations} operations"));
            self.disk.stop_after(operations);
        } else {
            self.stop(stop);
        }
    }

    fn stop(&mut self, stop: Stop) {
        if stop == Stop::Clean && !self.close() {
            return;
        }
        self.end(stop);
    }

    /// What the shell does when it is asked to end; false if the machine stopped meanwhile.
    fn close(&mut self) -> bool {
        self.enter(Broker::release);
        while let Some((id, mut task)) = self.tasks.pop_first() {
            if let Some(broker) = &mut self.broker {
                broker.prepare_sync(&mut task);
            }
            let result = task.run();
            if self.stopped() {
                return false;
            }
            self.trace.say(self.now_us, format_args!("sync {id}: {result:?}"));
            self.enter(|broker, now_ms| broker.synced(now_ms, task, result));
        }
        let now_ms = self.now_ms();
        let Some(broker) = &mut self.broker else { return false };
        let closed = broker.close(now_ms);
        if self.stopped() {
            return false;
        }
        self.trace.say(self.now_us, format_args!("closed: {closed:?}"));
        true
    }

    fn end(&mut self, stop: Stop) {
        self.trace.say(self.now_us, format_args!("{stop:?}"));
        self.broker = None;
        self.life += 1;
        self.tasks.clear();
        self.calls.clear();
        self.dropped.clear();
        self.armed_us = i64::MAX;
        for (connection, open) in std::mem::take(&mut self.connections) {
            let delay = self.delay(300, 50_000);
            self.after(delay, Event::Cut { client: open.client, connection });
        }
        if stop == Stop::PowerLoss || (stop == Stop::Clean && self.rng.below(3) == 0) {
            self.disk.crash();
            self.model.power_lost(self.life);
        } else {
            self.disk.kill();
        }
        let delay = self.delay(10_000, 2_000_000);
        self.after(delay, Event::Start);
    }

    fn start(&mut self) {
        if self.broker.is_some() {
            return;
        }
        self.flip_compaction();
        if !self.calm && self.rng.below(8) == 0 {
            self.stop_kind = [Stop::Kill, Stop::PowerLoss][self.rng.below(2) as usize];
            let operations = 1 + self.rng.below(20);
            self.disk.stop_after(operations);
        }
        let rng = Rng::new(self.rng.next_u64());
        let disk = Arc::new(self.disk.clone());
        let folders = self.folders_with_segments();
        let opened = Broker::open(self.settings.clone(), disk, rng, self.now_ms());
        if self.stopped() {
            return;
        }
        match opened {
            Ok(opened) => {
                self.trace.say(self.now_us, format_args!("start of life {}", self.life));
                for notice in opened.notices {
                    self.trace.say(self.now_us, format_args!("notice: {notice}"));
                    if self.model.recovery_said(&notice, self.life) {
                        self.over = true;
                    }
                }
                if self.over {
                    return self.start_again(opened.broker, &folders);
                }
                self.broker = Some(opened.broker);
                self.failed_starts = 0;
                self.enter(Broker::tick);
                let life_us = 1_000 * (200 + self.rng.below(self.weather.life_ms_max));
                let stops = [Stop::Kill, Stop::PowerLoss, Stop::PowerLoss, Stop::Clean];
                let stop = stops[self.rng.below(4) as usize];
                self.after(life_us, Event::Stop(stop));
            }
            Err(e) => self.not_started(&e),
        }
    }

    /// The folders of topics that have records, or had. Of a topic that was deleted other files may be left, which a start removes.
    fn folders_with_segments(&self) -> Vec<String> {
        let list = |path: &str| self.disk.list(path).unwrap_or_default();
        let has_segments = |topic: &String| {
            let topic = format!("{TOPICS}/{topic}");
            let names = list(&topic).into_iter().flat_map(|part| list(&format!("{topic}/{part}")));
            names.into_iter().any(|name| name.ends_with(".log"))
        };
        list(TOPICS).into_iter().filter(has_segments).collect()
    }

    /// The journal was damaged and cut: it may have named any folder, so all of them stay, also with the next start.
    fn start_again(&mut self, broker: Broker, folders: &[String]) {
        drop(broker);
        self.disk.set_faults(Faults::NONE);
        self.disk.kill();
        let rng = Rng::new(self.rng.next_u64());
        let disk = Arc::new(self.disk.clone());
        let opened = Broker::open(self.settings.clone(), disk, rng, self.now_ms());
        let left = self.folders_with_segments();
        if let Some(gone) = folders.iter().find(|folder| !left.contains(folder)) {
            self.model.fail(format!("the journal was damaged, and then {gone} was removed"));
        }
        if let Err(e) = opened {
            self.model.fail(format!("the journal was cut, and the broker does not start: {e:?}"));
        }
    }

    fn not_started(&mut self, e: &LogError) {
        self.failed_starts += 1;
        self.trace.say(self.now_us, format_args!("not started: {e:?}"));
        if self.model.damage.journal
            && matches!(e, LogError::Corrupt { folder, .. } if folder == "journal")
        {
            self.over = true;
            return;
        }
        if self.model.damage.is_swap_hit()
            && matches!(e, LogError::Disk { path, .. } if path.ends_with("/compaction.swap"))
        {
            self.over = true;
            return;
        }
        if self.failed_starts > 6 {
            return self.model.fail(format!("the broker does not start: {e:?}"));
        }
        if self.failed_starts > 2 {
            self.disk.set_faults(Faults::NONE);
        }
        self.disk.kill();
        self.after(500_000, Event::Start);
    }

    fn change_faults(&mut self) {
        if self.calm {
            return;
        }
        let mut faults = Faults::NONE;
        match self.rng.below(8) {
            0 => faults.short_per_mille = 200,
            1 => faults.write_error_per_mille = 30,
            2 => faults.sync_error_per_mille = 30,
            3 => faults.space_bytes = 10_000 + self.rng.below(200_000),
            _ => {}
        }
        self.trace.say(self.now_us, format_args!("{faults:?}"));
        self.disk.set_faults(faults);
        let delay = 100_000 + self.rng.below(4_000_000);
        self.after(delay, Event::Faults);
    }
}
