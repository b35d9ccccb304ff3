//! A topic of the embedded broker as a sink.
//! Invariant: records are in the log in the order of `write`, and durable when `flush` returns. Between the two at most
//! [`PENDING_BYTES_MAX`] wait for the disk. With checkpoints they belong to transactions: see [`super::super::transactions`].
//! Keys go to the partitions that every other producer of Kafka gives them; that a topic has got more partitions is noticed as
//! late as by others, so that all go over at about the same time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::ingest::Messages;
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, Result};
use mainstem_log::{BatchBuilder, Compression, RecordBatch};

use super::super::columns::Layout;
use super::super::encode::RecordEncode;
use super::super::sink::{partitioner, single_topic};
use super::super::transactions::{Coordinator, Ended, Guarantee, Ids, Producer, TIMEOUT, Token};
use super::super::{Flavor, properties};
use super::partitioner::{Partitioner, of_key};
use super::{EmbeddedTopics, missing, no_broker, require_or_create};
use crate::api::{Environment, Sink, SinkRequest};

/// A batch is closed before it grows beyond this; the broker takes 1 MiB.
const BATCH_BYTES: usize = 256 << 10;
const PENDING_BYTES_MAX: usize = 16 << 20;
/// How often partitions are counted: `metadata.max.age.ms` of Kafka's clients.
const COUNT_EVERY_MS: i64 = 300_000;
/// How long a transaction may take; the most that the embedded broker allows if nothing else is said.
const TIMEOUT_MS: i32 = 3_600_000;

/// A table on the embedded broker that is written.
pub(crate) struct EmbeddedSink {
    request: SinkRequest,
    layout: Layout,
    upsert: bool,
    topic: String,
    /// Where everything goes under the partitioner `fixed`.
    partition: Option<i32>,
    compression: Compression,
    guarantee: Guarantee,
    timeout_ms: i32,
    topic_writer: Option<TopicWriter>,
    /// With checkpoints.
    staged: Option<Staged>,
}

impl EmbeddedSink {
    /// Validates and builds; no I/O.
    pub(crate) fn new(request: SinkRequest, flavor: Flavor) -> Result<Self> {
        let table = &request.table;
        let upsert = flavor == Flavor::Upsert;
        let options = OptionReader::new(&table.options, flavor.spec().options);
        let topic = single_topic(options)?;
        let layout = Layout::new(table, upsert)?;
        let guarantee = Guarantee::parse(options, &table.name, &topic)?;
        // What a cluster would refuse is refused here, so that the file runs there as well.
        properties::client_config(&[], options.with_prefix(properties::PREFIX))?;
        let partition = partitioner(options, !layout.key.is_empty())?;
        RecordEncode::new(&request, &layout, upsert)?;
        Ok(Self {
            compression: compression(options)?,
            topic,
            layout,
            upsert,
            partition,
            guarantee,
            timeout_ms: transaction_timeout_ms(options)?,
            topic_writer: None,
            staged: None,
            request,
        })
    }

    fn writer(&mut self) -> Result<&mut TopicWriter> {
        self.topic_writer.as_mut().ok_or_else(not_open)
    }
}

#[async_trait]
impl Sink for EmbeddedSink {
    async fn open(&mut self) -> Result<()> {
        let (environment, table) = (&self.request.environment, &self.request.table.name);
        let writer = TopicWriter::open(environment, table, &self.topic, self.compression).await?;
        self.topic_writer = Some(writer);
        Ok(())
    }

    fn encoder(&self) -> Result<Box<dyn Encode>> {
        self.guarantee.check(self.staged.is_some())?;
        Ok(Box::new(RecordEncode::new(&self.request, &self.layout, self.upsert)?))
    }

    async fn write(&mut self, data: Encoded) -> Result<()> {
        let Encoded::Messages(messages) = data else {
            return Err(Error::internal("a Kafka sink got data that is no records"));
        };
        let (partition, now_ms) = (self.partition, self.request.environment.clock.now_ms());
        let writer = self.topic_writer.as_mut().ok_or_else(not_open)?;
        if let Some(staged) = &mut self.staged {
            staged.begin(writer, self.timeout_ms).await?;
        }
        writer.write(&messages, partition, now_ms).await
    }

    async fn flush(&mut self) -> Result<()> {
        self.writer()?.flush().await
    }

    async fn stage(&mut self, tokens: &[Vec<u8>]) -> Result<bool> {
        let Some(prefix) = self.guarantee.prefix() else { return Ok(false) };
        let environment = &self.request.environment;
        let broker = environment.embedded.clone().ok_or_else(no_broker)?;
        let (ids, producers) = Ids::recover(
            prefix,
            &Token::read_all(tokens)?,
            &Broker(Arc::clone(&broker)),
            (environment, &self.request.table.name),
            self.timeout_ms,
        )
        .await?;
        let fresh = |producer: Producer| Writing { producer, sequences: Vec::new() };
        let writing = producers.into_iter().map(|producer| producer.map(fresh)).collect();
        self.staged = Some(Staged { broker, ids, writing });
        Ok(true)
    }

    async fn prepare(&mut self) -> Result<Option<Vec<u8>>> {
        let writer = self.topic_writer.as_mut().ok_or_else(not_open)?;
        writer.flush().await?;
        match &mut self.staged {
            Some(staged) => staged.prepare(writer, self.request.environment.clock.now_ms()),
            None => Ok(None),
        }
    }

    async fn commit(&mut self, tokens: &[Vec<u8>]) -> Result<()> {
        match &mut self.staged {
            Some(staged) => staged.commit(tokens, self.request.environment.clock.now_ms()).await,
            None => Ok(()),
        }
    }

    async fn close(&mut self) -> Result<()> {
        if let Some(staged) = &self.staged {
            staged.ids.close()?;
        }
        match self.topic_writer.take() {
            Some(mut writer) => writer.flush().await,
            None => Ok(()),
        }
    }
}

fn not_open() -> Error {
    Error::internal("the Kafka sink is not open")
}

fn transaction_timeout_ms(options: OptionReader<'_>) -> Result<i32> {
    let Some(text) = options.text(TIMEOUT) else { return Ok(TIMEOUT_MS) };
    text.trim()
        .parse()
        .map_err(|_| Error::user(format!("option '{TIMEOUT}' is not a number of ms")))
}

/// The broker of this process, which looks after transactional ids.
struct Broker(Arc<dyn EmbeddedTopics>);

#[async_trait]
impl Coordinator for Broker {
    async fn producer(&self, id: &str) -> Result<Option<Producer>> {
        self.0.producer(id).await
    }

    async fn init(&self, id: &str, timeout_ms: i32) -> Result<Producer> {
        self.0.init_producer(id, timeout_ms).await
    }

    async fn commit(&self, id: &str, producer: Producer) -> Result<Ended> {
        self.0.commit_transaction(id, producer).await
    }
}

/// The transactions of a sink that takes part in checkpoints.
struct Staged {
    broker: Arc<dyn EmbeddedTopics>,
    ids: Ids,
    /// By number of the id; `None`: it has no producer of this run yet.
    writing: Vec<Option<Writing>>,
}

/// A producer of this run between two of its transactions.
struct Writing {
    producer: Producer,
    /// By partition: the number of its next record.
    sequences: Vec<i32>,
}

impl Staged {
    /// What is written from now on belongs to a transaction.
    async fn begin(&mut self, writer: &mut TopicWriter, timeout_ms: i32) -> Result<()> {
        if self.ids.open().is_some() {
            return Ok(());
        }
        let number = self.ids.begin();
        let id = self.ids.id(number);
        if self.writing.len() <= number {
            self.writing.resize_with(number + 1, || None);
        }
        let Writing { producer, sequences } = match self.writing[number].take() {
            Some(writing) => writing,
            None => {
                let producer = self.broker.init_producer(&id, timeout_ms).await?;
                Writing { producer, sequences: Vec::new() }
            }
        };
        writer.begin(Transaction { id, producer, sequences, partitions: BTreeSet::new() });
        Ok(())
    }

    /// Everything is flushed; what comes now belongs to the next transaction.
    fn prepare(&mut self, writer: &mut TopicWriter, at_ms: i64) -> Result<Option<Vec<u8>>> {
        let (Some(number), Some(transaction)) = (self.ids.open(), writer.end()) else {
            return Ok(None);
        };
        let Transaction { producer, sequences, .. } = transaction;
        self.writing[number] = Some(Writing { producer, sequences });
        self.ids.prepare(producer, at_ms).map(Some)
    }

    async fn commit(&mut self, tokens: &[Vec<u8>], now_ms: i64) -> Result<()> {
        let waiting = self.ids.waiting(tokens)?;
        let mut ended = Vec::with_capacity(waiting.len());
        for (_, token) in &waiting {
            let id = &token.transactional_id;
            ended.push(self.broker.commit_transaction(id, token.producer).await?);
        }
        self.ids.committed(&waiting, &ended, now_ms)
    }
}

/// What a writer writes in.
struct Transaction {
    id: String,
    producer: Producer,
    /// By partition: the number of the next record.
    sequences: Vec<i32>,
    /// Those that take part.
    partitions: BTreeSet<i32>,
}

impl Transaction {
    fn builder(&mut self, partition: usize, compression: Compression) -> BatchBuilder {
        if self.sequences.len() <= partition {
            self.sequences.resize(partition + 1, 0);
        }
        let Producer { id, epoch } = self.producer;
        let builder = BatchBuilder::new(compression);
        builder.with_producer(id, epoch, self.sequences[partition]).transactional()
    }

    /// Sequences go from the greatest number to 0.
    fn count(&mut self, partition: i32, records: i32) {
        let sequence = usize::try_from(partition).ok().and_then(|p| self.sequences.get_mut(p));
        if let Some(sequence) = sequence {
            *sequence = sequence.wrapping_add(records) & i32::MAX;
        }
    }
}

/// Writes records to one topic.
pub(crate) struct TopicWriter {
    log: Arc<dyn EmbeddedTopics>,
    topic: String,
    compression: Compression,
    partitioner: Partitioner,
    /// One a partition; empty between two calls.
    builders: Vec<BatchBuilder>,
    transaction: Option<Transaction>,
    /// When the partitions were counted.
    counted_ms: i64,
    /// Appends that wait for the disk, and their bytes.
    pending: VecDeque<(usize, BoxFuture<'static, Result<()>>)>,
    pending_bytes: usize,
}

impl TopicWriter {
    /// Makes the topic if it is not there.
    pub(crate) async fn open(
        environment: &Environment,
        table: &str,
        topic: &str,
        compression: Compression,
    ) -> Result<Self> {
        let log = environment.embedded.clone().ok_or_else(no_broker)?;
        let count = require_or_create(&*log, topic, environment, table).await?;
        Ok(Self {
            log,
            topic: topic.to_owned(),
            compression,
            partitioner: Partitioner::default(),
            builders: (0..count).map(|_| BatchBuilder::new(compression)).collect(),
            transaction: None,
            counted_ms: environment.clock.now_ms(),
            pending: VecDeque::new(),
            pending_bytes: 0,
        })
    }

    /// What is written from now on belongs to a transaction.
    fn begin(&mut self, mut transaction: Transaction) {
        let builder = |partition| transaction.builder(partition, self.compression);
        self.builders = (0..self.builders.len()).map(builder).collect();
        self.transaction = Some(transaction);
    }

    /// Nothing more is written in the transaction.
    fn end(&mut self) -> Option<Transaction> {
        self.transaction.take()
    }

    /// Appends records; `fixed` for those that have no partition of their own.
    pub(crate) async fn write(
        &mut self,
        messages: &Messages,
        fixed: Option<i32>,
        now_ms: i64,
    ) -> Result<()> {
        if now_ms - self.counted_ms >= COUNT_EVERY_MS || self.is_beyond(messages, fixed) {
            self.count_partitions(now_ms).await?;
        }
        let count = self.builders.len();
        let turn = self.partitioner.turn(count);
        for index in 0..messages.len() {
            let key = messages.key(index);
            let asked = messages.partitions.get(index).copied().or(fixed);
            let partition = match (asked, key) {
                (Some(asked), _) => self.existing(asked)?,
                (None, Some(key)) => of_key(key, count),
                (None, None) => turn,
            };
            let timestamp = messages.timestamps_ms.get(index).copied().unwrap_or(now_ms);
            let headers: Vec<(&str, Option<&[u8]>)> = match messages.headers.get(index) {
                None => Vec::new(),
                Some(headers) => headers
                    .iter()
                    .map(|h| (&*h.name, h.value.as_ref().map(|range| messages.bytes(range))))
                    .collect(),
            };
            let builder = &mut self.builders[partition];
            builder.push(timestamp, key, messages.value(index), &headers);
            if builder.size_bytes() >= BATCH_BYTES {
                let batch = builder.finish();
                self.append(batch.map(|batch| (partition, batch))).await?;
            }
        }
        let rest: Vec<_> = self.builders.iter_mut().map(BatchBuilder::finish).enumerate().collect();
        self.append(rest.into_iter().filter_map(|(partition, batch)| Some((partition, batch?))))
            .await
    }

    /// Whether a partition is asked for that was not there when they were counted.
    fn is_beyond(&self, messages: &Messages, fixed: Option<i32>) -> bool {
        let known =
            |partition: i32| usize::try_from(partition).is_ok_and(|p| p < self.builders.len());
        messages.partitions.iter().copied().chain(fixed).any(|partition| !known(partition))
    }

    async fn count_partitions(&mut self, now_ms: i64) -> Result<()> {
        let count = self.log.partition_count(&self.topic, false).await?;
        let count = count.ok_or_else(|| missing(&self.topic))?;
        self.builders.truncate(count);
        for partition in self.builders.len()..count {
            self.builders.push(match &mut self.transaction {
                Some(transaction) => transaction.builder(partition, self.compression),
                None => BatchBuilder::new(self.compression),
            });
        }
        self.counted_ms = now_ms;
        Ok(())
    }

    fn existing(&self, partition: i32) -> Result<usize> {
        let found = usize::try_from(partition).ok().filter(|p| *p < self.builders.len());
        found.ok_or_else(|| {
            Error::user(format!("topic '{}' has no partition {partition}", self.topic))
        })
    }

    /// Appends at most one batch a partition; waits while too much is on its way to the disk.
    async fn append(
        &mut self,
        batches: impl IntoIterator<Item = (usize, RecordBatch)>,
    ) -> Result<()> {
        let numbered = batches.into_iter().map(|(partition, batch)| (partition as i32, batch));
        let batches: Vec<(i32, RecordBatch)> = numbered.collect();
        if batches.is_empty() {
            return Ok(());
        }
        let bytes = batches.iter().map(|(_, batch)| batch.bytes().len()).sum();
        self.take_part(&batches).await?;
        let transactional_id = self.transaction.as_ref().map(|transaction| &*transaction.id);
        let appended = self.log.append(&self.topic, transactional_id, batches);
        self.pending_bytes += bytes;
        self.pending.push_back((bytes, appended));
        while self.pending_bytes > PENDING_BYTES_MAX {
            self.settle_one().await?;
        }
        Ok(())
    }

    /// Makes the partitions of some batches part of the transaction. It is durable that they are before a record is there:
    /// otherwise nobody would know how to end it.
    async fn take_part(&mut self, batches: &[(i32, RecordBatch)]) -> Result<()> {
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        for (partition, batch) in batches {
            transaction.count(*partition, batch.header().record_count);
        }
        let Transaction { id, producer, partitions, .. } = transaction;
        let new = batches.iter().map(|(partition, _)| *partition);
        let new: Vec<i32> = new.filter(|partition| !partitions.contains(partition)).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.log.add_partitions(id, *producer, &self.topic, &new).await?;
        partitions.extend(new);
        Ok(())
    }

    /// Returns when every record is durable.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        while !self.pending.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<()> {
        if let Some((bytes, appended)) = self.pending.pop_front() {
            self.pending_bytes -= bytes;
            appended.await?;
        }
        Ok(())
    }
}

fn compression(options: OptionReader<'_>) -> Result<Compression> {
    let name = options.text("properties.compression.type");
    Ok(match name.unwrap_or("none").trim().to_ascii_lowercase().as_str() {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        other => {
            let text = format!("'properties.compression.type' = '{other}' is not supported");
            return Err(Error::user(text).with_hint("there are none, gzip, snappy, lz4 and zstd"));
        }
    })
}
