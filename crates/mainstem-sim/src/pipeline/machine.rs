//! What the simulated process has around the pipeline: the broker, if tables are on it, the files, the clock, and the gifts that
//! connectors get.
//! Invariant: whatever is waited for at the start goes on only with turns of the broker, in an order that the seed decides; a
//! machine that has stopped answers nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mainstem_broker::wire::create_topics_request::CreatableTopic;
use mainstem_broker::wire::{CreateTopicsRequest, make};
use mainstem_broker::{ErrorCode, Request, Response};
use mainstem_connectors::api::{Environment, Observer, Position, SplitReader};
use mainstem_connectors::kafka::embedded::{Caller as _, Door, EmbeddedTopics as _, OffsetAt};
use mainstem_core::clock::{Clock as _, ManualClock, Rng};
use mainstem_core::disk::Disk as _;
use mainstem_core::ingest::Payload;
use mainstem_core::{Error, Result};
use mainstem_log::FaultyDisk;
use mainstem_state::manifest::SplitRecord;
use tokio::runtime::Runtime;

use super::connected::Connected;
use super::file_inlet::FileInlet;
use super::files::FaultyFiles;
use super::host::Host;
use super::inlet::{Inlet, TopicInlet};
use super::tables::{Table, count};

/// Turns after which whoever waits at the start waits in vain: the disk may be full.
const TURNS_MAX: usize = 5_000;
const CREATE_TOPICS: i16 = 5;

struct Silent;

impl Observer for Silent {
    fn notice(&self, _: &str, _: &str) {}
}

/// A running machine.
pub(super) struct Machine {
    host: Host,
    door: Door<Host>,
    environment: Environment,
    disk: FaultyDisk,
    clock: Arc<ManualClock>,
    threads: Arc<Runtime>,
}

impl Machine {
    /// Starts on what the disk has.
    pub(super) fn open(
        disk: &FaultyDisk,
        clock: &Arc<ManualClock>,
        threads: &Arc<Runtime>,
        rng: &mut Rng,
    ) -> Result<Self> {
        let host = Host::open(disk, clock, rng.next_u64())?;
        let door = Door::default();
        door.open(host.clone());
        let environment = Environment {
            clock: Arc::clone(clock) as _,
            observer: Arc::new(Silent),
            base_dir: PathBuf::from("/"),
            time_zone: "UTC".to_owned(),
            files: Arc::new(FaultyFiles(disk.clone())),
            embedded: Some(Arc::new(door.clone())),
        };
        let (disk, clock, threads) = (disk.clone(), Arc::clone(clock), Arc::clone(threads));
        Ok(Self { host, door, environment, disk, clock, threads })
    }

    /// The broker goes on a little.
    pub(super) fn turn(&self, rng: &mut Rng) {
        self.host.turn(rng);
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Time passes.
    pub(super) fn pass(&self, ms: i64) {
        self.clock.set(self.clock.now_ms() + ms);
    }

    /// Waits for the end of what needs the broker.
    fn wait<T>(&self, rng: &mut Rng, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        for _ in 0..TURNS_MAX {
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return done;
            }
            if self.disk.is_stopped() {
                return Err(Error::unavailable("the machine has stopped"));
            }
            self.host.turn(rng);
            self.pass(rng.below(2) as i64);
        }
        Err(Error::unavailable("the broker does not answer"))
    }

    /// Opens a sink that writes to a topic.
    pub(super) fn topic_sink(
        &self,
        table: &Table,
        tokens: &[Vec<u8>],
        rng: &mut Rng,
    ) -> Result<Connected> {
        let mut sink = table.topic_sink(&self.environment)?;
        self.wait(rng, async {
            sink.open().await?;
            sink.stage(tokens).await
        })?;
        Connected::new(sink, None)
    }

    /// Opens a sink that writes files.
    pub(super) fn file_sink(&self, table: &Table, tokens: &[Vec<u8>]) -> Result<Connected> {
        let mut sink = table.file_sink(&self.environment)?;
        self.threads.block_on(async {
            sink.open().await?;
            sink.stage(tokens).await
        })?;
        Connected::new(sink, Some(Arc::clone(&self.threads)))
    }

    /// Opens a topic that has the rows of the input from `at` on, and its writer, to whom `acknowledged` rows were acknowledged.
    pub(super) fn topic_inlet(
        &self,
        table: &Table,
        (at, acknowledged): (usize, usize),
        rng: &mut Rng,
    ) -> Result<Inlet> {
        self.wait(rng, self.create(table.name))?;
        let mut sink = table.plain_topic_sink(&self.environment)?;
        self.wait(rng, sink.open())?;
        let end = self.wait(rng, self.door.offset(table.name, 0, OffsetAt::Latest))?;
        let sent = end.unwrap_or(0) as usize;
        check_sent(sent, acknowledged)?;
        let position = Position((at as u64).to_le_bytes().to_vec());
        let mut source = table.topic_source(&self.environment, false)?;
        let reader = self.wait(rng, async {
            let splits = source.discover().await?;
            source.open(&splits[0], Some(&position)).await
        })?;
        let writer = Connected::new(sink, None)?;
        Ok(Inlet::Topic(Box::new(TopicInlet::new(writer, sent, reader, source.decoder()?))))
    }

    /// Opens a folder of files that have the rows of the input; they were read as far as `splits` say.
    pub(super) fn file_inlet(
        &self,
        table: &Table,
        splits: &[SplitRecord],
        acknowledged: usize,
    ) -> Result<Inlet> {
        let place = (FaultyFiles(self.disk.clone()), format!("/{}", table.folder()));
        let source = table.file_source(&self.environment)?;
        let inlet = FileInlet::open(place, source, Arc::clone(&self.threads), splits)?;
        check_sent(inlet.sent(), acknowledged)?;
        Ok(Inlet::Files(Box::new(inlet)))
    }

    /// Makes a topic of one partition, if it is not there.
    async fn create(&self, topic: &str) -> Result<()> {
        let asked = make(|asked: &mut CreatableTopic| {
            asked.name = topic.into();
            (asked.num_partitions, asked.replication_factor) = (1, 1);
        });
        let request = make(|request: &mut CreateTopicsRequest| request.topics = vec![asked]);
        let answer = self.host.begin(CREATE_TOPICS, Request::CreateTopics(request))?.await?;
        let Response::CreateTopics(answer) = answer else {
            return Err(Error::internal("the answer to another question"));
        };
        let code = answer.topics[0].error_code;
        if code == ErrorCode::None.code() || code == ErrorCode::TopicAlreadyExists.code() {
            return Ok(());
        }
        Err(Error::unavailable(format!("no topic is made: {code}")))
    }

    /// What a topic shows to who reads what is committed.
    pub(super) fn shown_by_topic(
        &self,
        table: &Table,
        rng: &mut Rng,
    ) -> Result<BTreeMap<String, i64>> {
        let mut source = table.topic_source(&self.environment, true)?;
        let splits = self.wait(rng, source.discover())?;
        let mut shown = BTreeMap::new();
        for split in splits {
            let mut reader: Box<dyn SplitReader> = self.wait(rng, source.open(&split, None))?;
            while let Some(fetched) = self.wait(rng, reader.next())? {
                let Payload::Messages(messages) = fetched.payload else {
                    return Err(Error::internal("a topic gives no records"));
                };
                for index in 0..messages.len() {
                    count(messages.value(index).unwrap_or_default(), &mut shown);
                }
            }
        }
        Ok(shown)
    }

    /// What the files of a table show.
    pub(super) fn shown_by_files(&self, table: &Table) -> Result<BTreeMap<String, i64>> {
        let folder = table.folder();
        let bytes = self
            .visible_bytes(&folder)
            .map_err(|e| Error::unavailable(format!("'{folder}' cannot be read")).with_source(e))?;
        let mut shown = BTreeMap::new();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.for_each(|line| count(line, &mut shown));
        Ok(shown)
    }

    /// The files of a folder, one after the other, without those whose names are hidden.
    fn visible_bytes(&self, folder: &str) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        for name in self.disk.list(folder)?.iter().filter(|name| !name.starts_with('.')) {
            let file = self.disk.open(&format!("{folder}/{name}"), false)?;
            let (from, size) = (all.len(), file.size_bytes()? as usize);
            all.resize(from + size, 0);
            file.read_exact_at(0, &mut all[from..])?;
        }
        Ok(all)
    }
}

/// What was acknowledged to a writer is there.
fn check_sent(sent: usize, acknowledged: usize) -> Result<()> {
    if sent < acknowledged {
        let text = format!("{acknowledged} rows were acknowledged, and {sent} are there");
        return Err(Error::internal(text));
    }
    Ok(())
}
