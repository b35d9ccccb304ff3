//! The thread that takes records out of librdkafka and hands them to the split readers, in payloads.
//! Invariant: each partition has a queue of its own on both sides, so a slow reader holds up its partition only;
//! between librdkafka and a reader wait at most [`PAYLOADS_AHEAD`] payloads, the rest stays with librdkafka, which
//! stops fetching. What is there is handed out at once: payloads are small when records are rare and grow to
//! [`ROWS_MAX`] when the reader is behind. The thread sleeps until librdkafka, a reader or the owner wakes it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use mainstem_core::clock::Clock;
use mainstem_core::ingest::Payload;
use mainstem_core::{Error, Result};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;

use super::gather::{Gather, Spares, Wanted};
use super::link::{self, Link, Requester, lock};
use super::source::{log_edge, position_of};
use super::topics;
use crate::api::Fetched;

/// Payloads of one partition that may wait for its reader.
pub(crate) const PAYLOADS_AHEAD: usize = 4;
/// Records in one payload at most.
pub(crate) const ROWS_MAX: usize = 8192;
/// Bytes of keys, values and headers in one payload at most, but for a single record that is larger.
pub(crate) const BYTES_MAX: usize = 1 << 20;
/// How often the thread looks at librdkafka's events when nothing wakes it.
const EVENTS_INTERVAL: Duration = Duration::from_millis(100);
/// Events that are looked at between two rounds over the partitions.
const EVENTS_A_TURN: usize = 8;

/// The consumer's context: hands what librdkafka says to the link.
pub(crate) struct Context {
    link: Arc<Link>,
    /// The last commit was refused, and the user has been told.
    commits_refused: AtomicBool,
}

impl Context {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link, commits_refused: AtomicBool::new(false) }
    }
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        link::on_error(&self.link, &error, reason);
    }
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        link::on_log(&self.link, level, facility, text);
    }
    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ConsumerContext for Context {
    fn commit_callback(
        &self,
        result: rdkafka::error::KafkaResult<()>,
        _offsets: &TopicPartitionList,
    ) {
        match result {
            Ok(()) => self.commits_refused.store(false, Ordering::SeqCst),
            // Nothing to commit: another commit took the same offsets along.
            Err(e) if e.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => {}
            Err(e) if link::is_transient(&e) => {}
            Err(e) => {
                if !self.commits_refused.swap(true, Ordering::SeqCst) {
                    let reason = link::reason(&e);
                    self.link.notice(&format!("cannot commit group offsets: {reason}"));
                }
            }
        }
    }
}

pub(crate) type SourceConsumer = BaseConsumer<Context>;

impl Requester for SourceConsumer {
    fn serve_events(&self) {
        // `None` may mean a line of the log as well as an empty queue, so it does not end the loop.
        for _ in 0..64 {
            self.poll(Duration::ZERO);
        }
    }

    fn partition_count(&self, topic: &str) -> Result<Option<usize>, KafkaError> {
        topics::partition_count(self.client(), topic)
    }
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) enum Delivery {
    Data(Fetched),
    End,
    Failed(Error),
}

/// A partition to read.
pub(crate) struct Opening {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) start: Offset,
    /// The first offset that is not read.
    pub(crate) end: Option<i64>,
    /// The end of the partition as it is now ends the split as well.
    pub(crate) ends_at_log_end: bool,
    pub(crate) output: mpsc::Sender<Delivery>,
}

/// Positions that the pipeline is done with, by topic and partition.
pub(crate) type Acknowledged = Arc<Mutex<BTreeMap<(Arc<str>, i32), i64>>>;

/// When group offsets are committed; `None` for never.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommitPolicy {
    pub(crate) interval_ms: i64,
}

/// Held by the source and by each of its readers; the thread ends with the last of them.
pub(crate) struct Pump {
    openings: Mutex<Option<Sender<Opening>>>,
    thread: Thread,
    join: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread is given.
pub(crate) struct PumpSetup {
    pub(crate) consumer: Arc<SourceConsumer>,
    pub(crate) link: Arc<Link>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wanted: Wanted,
    pub(crate) commits: Option<CommitPolicy>,
    pub(crate) acknowledged: Acknowledged,
}

impl Pump {
    pub(crate) fn start(setup: PumpSetup) -> Result<Arc<Self>> {
        let (sender, receiver) = channel();
        let name = format!("kafka-{}", setup.link.table());
        let join = thread::Builder::new()
            .name(name)
            .spawn(move || Runner::new(setup, receiver).run())
            .map_err(|e| Error::internal("the Kafka thread cannot be started").with_source(e))?;
        Ok(Arc::new(Self {
            openings: Mutex::new(Some(sender)),
            thread: join.thread().clone(),
            join: Mutex::new(Some(join)),
        }))
    }

    /// Begins to read a partition.
    pub(crate) fn open(&self, opening: Opening) -> Result<()> {
        let sent = lock(&self.openings).as_ref().is_some_and(|s| s.send(opening).is_ok());
        self.wake();
        if sent { Ok(()) } else { Err(Error::internal("the Kafka thread has ended")) }
    }

    /// There is room again, or something to do.
    pub(crate) fn wake(&self) {
        self.thread.unpark();
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        lock(&self.openings).take();
        self.wake();
        if let Some(join) = lock(&self.join).take() {
            // A panic there has reached the readers as a closed channel.
            let _ = join.join();
        }
    }
}

struct SplitState {
    topic: Arc<str>,
    partition: i32,
    queue: PartitionQueue<Context>,
    output: mpsc::Sender<Delivery>,
    end: Option<i64>,
    ends_at_log_end: bool,
    gather: Gather,
    /// Said to the reader when it has room: the end, or why it cannot go on.
    last_word: Option<Delivery>,
    closed: bool,
}

struct Runner {
    setup: PumpSetup,
    openings: Receiver<Opening>,
    splits: Vec<SplitState>,
    spares: Spares,
    committed: BTreeMap<(Arc<str>, i32), i64>,
    commit_due_ms: i64,
    thread: Thread,
    /// Set by librdkafka's threads when a partition's queue is no longer empty.
    woken: Arc<AtomicBool>,
}

impl Runner {
    fn new(setup: PumpSetup, openings: Receiver<Opening>) -> Self {
        let interval = setup.commits.map_or(0, |c| c.interval_ms);
        let commit_due_ms = setup.clock.now_ms() + interval;
        Self {
            setup,
            openings,
            splits: Vec::new(),
            spares: Spares::default(),
            committed: BTreeMap::new(),
            commit_due_ms,
            thread: thread::current(),
            woken: Arc::default(),
        }
    }

    fn run(mut self) {
        while self.accept_openings() {
            self.serve_events();
            let mut moved = false;
            for split in &mut self.splits {
                moved |= split.advance(&self.setup, &mut self.spares);
            }
            self.remove_closed();
            self.commit_if_due();
            if !moved && !self.woken.swap(false, Ordering::SeqCst) {
                self.probe_if_in_doubt();
                thread::park_timeout(EVENTS_INTERVAL);
            }
        }
        self.commit();
        self.splits.clear();
    }

    /// False when nobody holds the pump any more.
    fn accept_openings(&mut self) -> bool {
        loop {
            match self.openings.try_recv() {
                Ok(opening) => self.accept(opening),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn accept(&mut self, opening: Opening) {
        if !self.make_way(&opening) {
            let error = Error::internal("a Kafka split was opened while it was being read");
            let _ = opening.output.try_send(Delivery::Failed(error));
            return;
        }
        let consumer = &self.setup.consumer;
        // The queue is split off before the assignment: then no record ever enters the common queue.
        let Some(mut queue) = consumer.split_partition_queue(&opening.topic, opening.partition)
        else {
            let error = Error::internal("the partition's queue cannot be split off");
            let _ = opening.output.try_send(Delivery::Failed(error));
            return;
        };
        let (thread, woken) = (self.thread.clone(), Arc::clone(&self.woken));
        queue.set_nonempty_callback(move || {
            if !woken.swap(true, Ordering::SeqCst) {
                thread.unpark();
            }
        });
        let mut list = TopicPartitionList::new();
        let assigned = list
            .add_partition_offset(&opening.topic, opening.partition, opening.start)
            .and_then(|()| consumer.incremental_assign(&list));
        if let Err(e) = assigned {
            let text = format!("cannot read {} [{}]: {e}", opening.topic, opening.partition);
            let _ = opening.output.try_send(Delivery::Failed(Error::internal(text)));
            return;
        }
        self.splits.push(SplitState {
            gather: Gather::new(Arc::clone(&opening.topic), opening.partition, self.setup.wanted),
            topic: opening.topic,
            partition: opening.partition,
            queue,
            output: opening.output,
            end: opening.end,
            ends_at_log_end: opening.ends_at_log_end,
            last_word: None,
            closed: false,
        });
    }

    /// Lets go of an abandoned reader of the same partition; false if that one is still in use.
    fn make_way(&mut self, opening: &Opening) -> bool {
        let same = |s: &SplitState| s.topic == opening.topic && s.partition == opening.partition;
        match self.splits.iter_mut().find(|s| same(s)) {
            None => true,
            Some(split) if split.output.is_closed() => {
                split.closed = true;
                self.remove_closed();
                true
            }
            Some(_) => false,
        }
    }

    /// Errors and logs of the client; outages and refusals end up in the link.
    fn serve_events(&mut self) {
        for _ in 0..EVENTS_A_TURN {
            match self.setup.consumer.poll(Duration::ZERO) {
                // An empty queue, or a line of the log with more behind it.
                None => {}
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    self.fail_all(|| Error::user(format!("the Kafka client gave up: {code}")));
                }
                // Context::error has seen it.
                Some(Err(_)) => {}
                Some(Ok(_)) => self.fail_all(|| {
                    Error::internal("a record came by the common queue of the Kafka client")
                }),
            }
        }
        if let Some(fatal) = self.setup.link.fatal() {
            self.fail_all(|| Error::user(fatal.to_string()));
        }
    }

    fn probe_if_in_doubt(&self) {
        if self.setup.link.in_doubt()
            && let Some(split) = self.splits.first()
        {
            link::probe(&self.setup.link, self.setup.consumer.client(), &split.topic);
        }
    }

    fn fail_all(&mut self, error: impl Fn() -> Error) {
        for split in &mut self.splits {
            split.last_word.get_or_insert_with(|| Delivery::Failed(error()));
        }
    }

    /// Finished and abandoned partitions are fetched no longer. Every split here was assigned once and is taken back
    /// once: librdkafka ends the process over a partition that it does not know to be assigned.
    fn remove_closed(&mut self) {
        if self.splits.iter().all(|s| !s.closed) {
            return;
        }
        let mut list = TopicPartitionList::new();
        for split in self.splits.iter().filter(|s| s.closed) {
            list.add_partition(&split.topic, split.partition);
        }
        self.splits.retain(|s| !s.closed);
        if let Err(e) = self.setup.consumer.incremental_unassign(&list) {
            self.setup.link.notice(&format!("partitions cannot be let go of: {e}"));
        }
    }

    fn commit_if_due(&mut self) {
        let Some(policy) = self.setup.commits else { return };
        let now_ms = self.setup.clock.now_ms();
        if now_ms >= self.commit_due_ms {
            self.commit_due_ms = now_ms + policy.interval_ms;
            self.commit();
        }
    }

    /// Sends what was acknowledged since the last time; closing the consumer waits for the answer.
    fn commit(&mut self) {
        if self.setup.commits.is_none() || self.setup.link.in_doubt() {
            return;
        }
        let acknowledged = lock(&self.setup.acknowledged).clone();
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in &acknowledged {
            if self.committed.get(&(Arc::clone(topic), *partition)) != Some(offset) {
                // An offset that fits i64 is never refused.
                let _ = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
            }
        }
        if list.count() > 0 && self.setup.consumer.commit(&list, CommitMode::Async).is_ok() {
            self.committed = acknowledged;
        }
    }
}

impl SplitState {
    /// Moves one payload, if there are records and room; true if something was moved.
    fn advance(&mut self, setup: &PumpSetup, spares: &mut Spares) -> bool {
        let output = self.output.clone();
        let permit = match output.try_reserve() {
            Ok(permit) => permit,
            Err(mpsc::error::TrySendError::Full(())) => return false,
            Err(mpsc::error::TrySendError::Closed(())) => {
                self.closed = true;
                return false;
            }
        };
        if self.last_word.is_none() {
            self.take_records(setup, spares);
        }
        if let Some((messages, next)) = self.gather.finish(spares) {
            setup.link.up_if_in_doubt();
            permit.send(Delivery::Data(Fetched {
                payload: Payload::Messages(messages),
                position: position_of(next),
            }));
            return true;
        }
        if let Some(word) = self.last_word.take() {
            permit.send(word);
            self.closed = true;
            return true;
        }
        false
    }

    /// Gathers what librdkafka has, up to a payload's limits.
    fn take_records(&mut self, setup: &PumpSetup, spares: &mut Spares) {
        while self.gather.has_room() {
            match self.queue.poll(Duration::ZERO) {
                None => return,
                Some(Ok(message)) => {
                    let next = rdkafka::Message::offset(&message) + 1;
                    if self.end.is_some_and(|end| next > end) {
                        self.last_word = Some(Delivery::End);
                        return;
                    }
                    if !self.gather.push(&message, spares) {
                        return;
                    }
                    if self.end == Some(next) {
                        self.last_word = Some(Delivery::End);
                        return;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    if self.at_log_end(setup) {
                        self.last_word = Some(Delivery::End);
                        return;
                    }
                }
                Some(Err(error)) => self.on_error(setup, &error),
            }
        }
    }

    /// Whether the end of the log as it stands ends the split: transaction markers and compaction leave offsets
    /// that no record has, so the last record may never have the last offset.
    fn at_log_end(&self, setup: &PumpSetup) -> bool {
        let Some(end) = self.end else { return false };
        if self.ends_at_log_end {
            return true;
        }
        log_edge(&setup.consumer, &self.topic, self.partition, Offset::End)
            .is_ok_and(|log_end| log_end >= end)
    }

    fn on_error(&mut self, setup: &PumpSetup, error: &KafkaError) {
        let Some(code) = error.rdkafka_error_code() else { return };
        let place = format!("topic '{}', partition {}", self.topic, self.partition);
        use RDKafkaErrorCode as Code;
        let failure = match code {
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
                if !self.is_gone(setup) {
                    return;
                }
                Error::user(format!("{place} does not exist any more"))
            }
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                Error::user(format!("the offset to go on from in {place} is not there any more"))
                    .with_detail(
                        "retention removed it, or the topic was created anew, since it was read",
                    )
                    .with_hint(
                        "start again with 'scan.startup.mode' = 'earliest-offset', or set \
                         'properties.auto.offset.reset'",
                    )
            }
            Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed => {
                link::request_error(error).context(place)
            }
            Code::BadMessage | Code::InvalidMessage | Code::BadCompression => {
                Error::new(mainstem_core::ErrorKind::Corrupt, format!("{place}: {code}"))
            }
            _ => {
                setup.link.suspect();
                return;
            }
        };
        self.last_word.get_or_insert(Delivery::Failed(failure));
    }

    /// True only if a broker says that the partition is not there.
    fn is_gone(&self, setup: &PumpSetup) -> bool {
        let metadata =
            setup.consumer.client().fetch_metadata(Some(&self.topic), link::REQUEST_TIMEOUT);
        metadata.is_ok_and(|m| {
            m.topics().iter().all(|t| t.partitions().iter().all(|p| p.id() != self.partition))
        })
    }
}
