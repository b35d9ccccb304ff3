//! A broker on a test stand: requests go through the codec, actions are performed at once (or held back), time is passed by
//! hand. Every answer is encoded and decoded on its way.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder};
use mainstem_core::clock::Rng;
use mainstem_core::disk::Disk;
use mainstem_log::{
    BatchBuilder, Compression, LogError, MemoryDisk, RecordBatch, RecordLimits, WalSettings,
};

use crate::wire::{self, *};
use crate::{
    Action, Broker, Call, CompactTask, ConnectionId, Endpoint, RequestId, Settings, SyncTask,
};

pub(super) struct Stand {
    pub(super) broker: Broker,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) settings: Settings,
    pub(super) now_ms: i64,
    pub(super) connection: u64,
    pub(super) notices: Vec<String>,
    pub(super) disconnected: Vec<RequestId>,
    /// Syncs are kept back while this is set.
    pub(super) hold: bool,
    pub(super) held: VecDeque<SyncTask>,
    pub(super) compactions: Vec<CompactTask>,
    /// The next syncs fail.
    pub(super) failing: bool,
    pub(super) ticks: usize,
    next: u64,
    heads: BTreeMap<RequestId, Head>,
    frames: BTreeMap<RequestId, Option<Bytes>>,
}

/// Every log syncs itself: for who damages its files, or has its syncs fail.
pub(super) fn without_wal() -> Settings {
    Settings { wal: WalSettings::NONE, ..Settings::default() }
}

impl Stand {
    pub(super) fn new() -> Self {
        Self::with(Settings::default(), Arc::new(MemoryDisk::new())).unwrap()
    }

    pub(super) fn with(settings: Settings, disk: Arc<dyn Disk>) -> Result<Self, LogError> {
        let now_ms = 1_700_000_000_000;
        let opened = Broker::open(settings.clone(), Arc::clone(&disk), Rng::new(7), now_ms)?;
        let mut stand = Self {
            broker: opened.broker,
            disk,
            settings,
            now_ms,
            connection: 1,
            notices: opened.notices,
            disconnected: Vec::new(),
            hold: false,
            held: VecDeque::new(),
            compactions: Vec::new(),
            failing: false,
            ticks: 0,
            next: 0,
            heads: BTreeMap::new(),
            frames: BTreeMap::new(),
        };
        stand.tick();
        Ok(stand)
    }

    /// Another run of the broker on the same disk.
    pub(super) fn restart(&mut self, clean: bool) {
        if clean {
            self.broker.close(self.now_ms).unwrap();
        }
        let rng = Rng::new(self.now_ms as u64);
        let disk = Arc::clone(&self.disk);
        let opened = Broker::open(self.settings.clone(), disk, rng, self.now_ms).unwrap();
        self.broker = opened.broker;
        self.notices = opened.notices;
        self.held.clear();
        self.tick();
    }

    /// Hands a request in; its answer is there or comes later.
    pub(super) fn send<R: KafkaRequest>(&mut self, version: i16, request: &R) -> RequestId {
        let mut frame = BytesMut::new();
        let limits = OutboundFrameLimits::new(64 << 20);
        let version = ApiVersion::new(version);
        encode_request(&mut frame, 42, Some("stand".into()), request, version, limits).unwrap();
        frame.advance(4);
        self.hand_in(frame.freeze()).unwrap()
    }

    /// Hands a frame in, without its length.
    pub(super) fn hand_in(&mut self, frame: Bytes) -> Result<RequestId, FrameError> {
        let (head, request) = decode_request(frame)?;
        self.next += 1;
        let id = RequestId(self.next);
        let call = Call {
            id,
            connection: ConnectionId(self.connection),
            version: head.version,
            client_id: head.client_id.clone(),
            client_host: "127.0.0.1".into(),
            advertised: Arc::new(Endpoint { host: "localhost".into(), port: 9092 }),
        };
        self.heads.insert(id, head);
        let actions = self.broker.handle(self.now_ms, &call, request);
        self.perform(actions);
        Ok(id)
    }

    /// The answer, if it has come.
    pub(super) fn answer<R: RequestResponsePair>(&mut self, id: RequestId) -> Option<R::Response> {
        let frame = self.frames.remove(&id)??;
        let head = self.heads.get(&id).unwrap();
        let version = ApiVersion::new(head.version);
        let limits = DecodeLimits::default();
        let mut decoder = Decoder::new(frame.slice(4..), limits).unwrap();
        let flexible = R::is_flexible(version);
        let header = response_header_version(R::API_KEY, version, flexible);
        let header = ResponseHeader::decode(&mut decoder, ApiVersion::new(header)).unwrap();
        assert_eq!(header.correlation_id, 42);
        let response = R::Response::decode(&mut decoder, version).unwrap();
        decoder.finish().unwrap();
        Some(response)
    }

    /// Hands a request in that has to be answered at once.
    pub(super) fn ask<R: RequestResponsePair>(&mut self, version: i16, request: &R) -> R::Response {
        let id = self.send(version, request);
        self.answer::<R>(id).expect("it is answered at once")
    }

    /// Whether a request was answered with nothing.
    pub(super) fn nothing_is_sent(&mut self, id: RequestId) -> bool {
        self.frames.remove(&id) == Some(None)
    }

    pub(super) fn perform(&mut self, actions: Vec<Action>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Respond { to, response } => {
                    let head = self.heads.get(&to).unwrap();
                    let frame = encode_response(head, &response)
                        .unwrap_or_else(|e| panic!("{head:?}: {e}"));
                    let frame = (frame.left() > 0).then(|| frame.read().unwrap());
                    assert!(self.frames.insert(to, frame).is_none(), "{to:?} is answered twice");
                }
                Action::Disconnect { to } => self.disconnected.push(to),
                Action::Sync(task) if self.hold => self.held.push_back(task),
                Action::Sync(task) => queue.extend(self.run(task)),
                Action::Compact(task) => self.compactions.push(task),
                Action::Notice(said) => self.notices.push(said),
            }
        }
    }

    fn run(&mut self, mut task: SyncTask) -> Vec<Action> {
        self.broker.prepare_sync(&mut task);
        let result = match self.failing {
            true => Err(io::Error::other("the disk is gone")),
            false => task.run(),
        };
        self.broker.synced(self.now_ms, task, result)
    }

    /// Runs the syncs that were held back, and those that follow from them.
    pub(super) fn sync(&mut self) {
        while let Some(task) = self.held.pop_front() {
            let actions = self.run(task);
            self.perform(actions);
        }
    }

    pub(super) fn compact(&mut self) {
        for task in std::mem::take(&mut self.compactions) {
            let actions = self.broker.compacted(self.now_ms, task.run());
            self.perform(actions);
        }
    }

    pub(super) fn tick(&mut self) {
        self.ticks += 1;
        let actions = self.broker.tick(self.now_ms);
        self.perform(actions);
    }

    /// Lets time pass, ticking when the broker asks for it.
    pub(super) fn pass(&mut self, ms: i64) {
        let end_ms = self.now_ms + ms;
        while let Some(at) = self.broker.next_deadline_ms().filter(|at| *at <= end_ms) {
            self.now_ms = self.now_ms.max(at);
            self.tick();
        }
        self.now_ms = end_ms;
        self.tick();
    }

    pub(super) fn close_connection(&mut self) {
        let actions = self.broker.closed(self.now_ms, ConnectionId(self.connection));
        self.perform(actions);
    }

    /// Makes a topic with configurations.
    pub(super) fn topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let request = create(&[(name, partitions, configs)]);
        let response = self.ask(7, &request);
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
    }

    /// Appends records (key, value) as one batch; the error code and the base offset.
    pub(super) fn produce(
        &mut self,
        topic: &str,
        index: i32,
        records: &[(&str, &str)],
    ) -> (i16, i64) {
        let response = self.ask(9, &produce(-1, topic, index, batch(self.now_ms, records)));
        let answer = &response.responses[0].partition_responses[0];
        (answer.error_code, answer.base_offset)
    }

    /// Reads from an offset: the error code and the values.
    pub(super) fn values(&mut self, topic: &str, index: i32, offset: i64) -> (i16, Vec<String>) {
        let response = self.ask(12, &fetch(&[(topic, index, offset)], 0, 1));
        let answer = &response.responses[0].partitions[0];
        (answer.error_code, values(answer.records.clone().unwrap_or_default()))
    }
}

pub(super) fn values(mut records: Bytes) -> Vec<String> {
    let mut values = Vec::new();
    while let Some(batch) = RecordBatch::parse_next(&mut records) {
        let all = batch.unwrap().records(RecordLimits::default()).unwrap();
        values.extend(all.iter().map(|record| {
            String::from_utf8(record.unwrap().value.unwrap_or_default().to_vec()).unwrap()
        }));
    }
    values
}

pub(super) fn batch(now_ms: i64, records: &[(&str, &str)]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    for (key, value) in records {
        let key = Some(key.as_bytes()).filter(|key| !key.is_empty());
        builder.push(now_ms, key, Some(value.as_bytes()), &[]);
    }
    builder.finish().unwrap().into_bytes()
}

pub(super) fn produce(acks: i16, topic: &str, index: i32, records: Bytes) -> ProduceRequest {
    use wire::produce_request::{PartitionProduceData, TopicProduceData};
    make(|request: &mut ProduceRequest| {
        request.acks = acks;
        request.topic_data = vec![make(|data: &mut TopicProduceData| {
            data.name = topic.into();
            data.partition_data = vec![make(|data: &mut PartitionProduceData| {
                data.index = index;
                data.records = Some(records);
            })];
        })];
    })
}

/// Partitions by topic, partition and offset.
pub(super) fn fetch(
    partitions: &[(&str, i32, i64)],
    max_wait_ms: i32,
    min_bytes: i32,
) -> FetchRequest {
    use wire::fetch_request::{FetchPartition, FetchTopic};
    let topics = partitions.iter().map(|(topic, index, offset)| {
        make(|asked: &mut FetchTopic| {
            asked.topic = (*topic).into();
            asked.partitions = vec![make(|asked: &mut FetchPartition| {
                asked.partition = *index;
                asked.fetch_offset = *offset;
                asked.partition_max_bytes = 1 << 20;
            })];
        })
    });
    make(|request: &mut FetchRequest| {
        request.max_wait_ms = max_wait_ms;
        request.min_bytes = min_bytes;
        request.max_bytes = 50 << 20;
        request.topics = topics.collect();
    })
}

/// Topics by name, partitions and configurations.
pub(super) fn create(topics: &[(&str, i32, &[(&str, &str)])]) -> CreateTopicsRequest {
    use wire::create_topics_request::{CreatableTopic, CreatableTopicConfig};
    let topics = topics.iter().map(|(name, partitions, configs)| {
        make(|topic: &mut CreatableTopic| {
            topic.name = (*name).into();
            topic.num_partitions = *partitions;
            topic.replication_factor = -1;
            let configs = configs.iter().map(|(name, value)| {
                make(|config: &mut CreatableTopicConfig| {
                    config.name = (*name).into();
                    config.value = Some((*value).into());
                })
            });
            topic.configs = configs.collect();
        })
    });
    make(|request: &mut CreateTopicsRequest| request.topics = topics.collect())
}
