//! A Kafka topic as a sink.
//! Invariant: `flush` returns after every record that was taken is acknowledged by the brokers, or with the reason
//! why one was not. With checkpoints they belong to transactions: see [`super::transactions`]. Keys are hashed to partitions as
//! Java clients do, so both kinds of producers agree.

use std::sync::Arc;

use async_trait::async_trait;
use mainstem_core::egress::{Encode, Encoded};
use mainstem_core::options::OptionReader;
use mainstem_core::{Error, Result};
use rdkafka::ClientConfig;

use super::columns::Layout;
use super::coordinator::Cluster;
use super::encode::RecordEncode;
use super::link::Link;
use super::producer::TopicProducer;
use super::staged::Staged;
use super::transactions::{GUARANTEE, Guarantee};
use super::{Flavor, properties, topics};
use crate::api::{Sink, SinkRequest};

pub(crate) struct KafkaSink {
    request: SinkRequest,
    layout: Layout,
    upsert: bool,
    config: ClientConfig,
    link: Arc<Link>,
    topic: String,
    /// Where everything goes under the partitioner `fixed`.
    partition: Option<i32>,
    create_topic: bool,
    guarantee: Guarantee,
    /// Without checkpoints.
    producer: Option<TopicProducer>,
    /// With checkpoints.
    staged: Option<Staged>,
}

impl KafkaSink {
    /// Validates and builds; no I/O.
    pub(crate) fn new(request: SinkRequest, flavor: Flavor) -> Result<Self> {
        let table = &request.table;
        let upsert = flavor == Flavor::Upsert;
        let options = OptionReader::new(&table.options, flavor.spec().options);
        let servers = options.required("properties.bootstrap.servers")?;
        let topic = single_topic(options)?;
        let layout = Layout::new(table, upsert)?;
        let guarantee = Guarantee::parse(options, &table.name, &topic)?;
        let config = producer_config(options.with_prefix(properties::PREFIX), guarantee.acks)?;
        let partition = partitioner(options, !layout.key.is_empty())?;
        // What a format refuses is known before anything runs.
        RecordEncode::new(&request, &layout, upsert)?;
        Ok(Self {
            link: Link::new(&table.name, servers, Arc::clone(&request.environment.observer)),
            create_topic: options.boolean(topics::AUTO_CREATE)?,
            topic,
            layout,
            upsert,
            config,
            partition,
            guarantee,
            producer: None,
            staged: None,
            request,
        })
    }

    /// The coordinator of transactions cannot be asked from here, because of `what`.
    fn no_transactions(&self, what: &str, tokens: &[Vec<u8>]) -> Result<bool> {
        let text = format!("transactions are not supported with {what}");
        if self.guarantee.is_demanded() || !tokens.is_empty() {
            return Err(Error::user(text).with_hint(format!("use '{GUARANTEE}' = 'at-least-once'")));
        }
        self.link.notice(&format!("{text}: records are written at least once"));
        Ok(false)
    }

    fn producer(&self) -> Result<&TopicProducer> {
        self.producer.as_ref().ok_or_else(|| Error::internal("the Kafka sink is not open"))
    }
}

#[async_trait]
impl Sink for KafkaSink {
    async fn open(&mut self) -> Result<()> {
        let (config, link) = (&self.config, &self.link);
        self.producer =
            Some(TopicProducer::open(config, link, &self.topic, self.create_topic).await?);
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
        match &mut self.staged {
            Some(staged) => staged.writer().await?.send(&messages, self.partition).await,
            None => self.producer()?.send(&messages, self.partition).await,
        }
    }

    async fn flush(&mut self) -> Result<()> {
        match &self.staged {
            Some(staged) => staged.flush().await,
            None => self.producer()?.flush().await,
        }
    }

    async fn stage(&mut self, tokens: &[Vec<u8>]) -> Result<bool> {
        let Some(prefix) = self.guarantee.prefix() else { return Ok(false) };
        let cluster = match Cluster::new(&self.config, &self.link, &self.topic) {
            Ok(cluster) => cluster,
            Err(what) => return self.no_transactions(&what, tokens),
        };
        let producer = (&self.config, &self.link, &*self.topic);
        let environment = &self.request.environment;
        self.staged = Some(Staged::open(cluster, producer, prefix, tokens, environment).await?);
        self.producer = None;
        Ok(true)
    }

    async fn prepare(&mut self) -> Result<Option<Vec<u8>>> {
        match &mut self.staged {
            Some(staged) => staged.prepare(self.request.environment.clock.now_ms()).await,
            None => self.flush().await.map(|()| None),
        }
    }

    async fn commit(&mut self, tokens: &[Vec<u8>]) -> Result<()> {
        match &mut self.staged {
            Some(staged) => staged.commit(tokens, self.request.environment.clock.now_ms()).await,
            None => Ok(()),
        }
    }

    async fn close(&mut self) -> Result<()> {
        if let Some(staged) = self.staged.take() {
            staged.close()?;
        }
        if let Some(producer) = self.producer.take() {
            producer.flush().await?;
        }
        Ok(())
    }
}

/// What a producer is told where the table says nothing.
pub const PRODUCER_DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "mainstem"),
    // An outage is waited out, however long; 0 is without limit.
    ("message.timeout.ms", "0"),
    ("partitioner", "murmur2_random"),
    ("linger.ms", "5"),
    ("batch.num.messages", "100000"),
    ("queue.buffering.max.messages", "500000"),
    ("queue.buffering.max.kbytes", "65536"),
    ("reconnect.backoff.max.ms", "2000"),
    ("socket.nagle.disable", "true"),
];

/// The producer's configuration; also that of dead letters.
pub(crate) fn producer_config<'a>(
    properties: impl IntoIterator<Item = (&'a str, &'a str)>,
    acks: Acks,
) -> Result<ClientConfig> {
    let idempotent = if acks == Acks::All { "true" } else { "false" };
    let mut defaults = PRODUCER_DEFAULTS.to_vec();
    defaults.push(("acks", if acks == Acks::All { "all" } else { "1" }));
    defaults.push(("enable.idempotence", idempotent));
    let mut config = properties::client_config(&defaults, properties)?;
    config.set("delivery.report.only.error", "true");
    config.create_native_config().map_err(properties::config_error)?;
    Ok(config)
}

/// Whose acknowledgement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acks {
    All,
    Leader,
}

pub(super) fn partitioner(options: OptionReader<'_>, has_key: bool) -> Result<Option<i32>> {
    match options.text("sink.partitioner").unwrap_or("default").trim() {
        "default" => Ok(None),
        // Flink's writer n takes partition n: there is one writer here.
        "fixed" => Ok(Some(0)),
        // librdkafka spreads records without a key over the partitions by itself.
        "round-robin" if !has_key => Ok(None),
        "round-robin" => {
            Err(Error::user("'sink.partitioner' = 'round-robin' works without a key only")
                .with_hint("leave 'key.fields' out, or use the default partitioner"))
        }
        other => Err(Error::user(format!("'sink.partitioner' = '{other}' is not supported"))
            .with_hint("the partitioners are default, fixed and round-robin")),
    }
}

pub(super) fn single_topic(options: OptionReader<'_>) -> Result<String> {
    if options.text("topic-pattern").is_some() {
        return Err(Error::user("a sink cannot have a 'topic-pattern'")
            .with_hint("name the one topic to write to in 'topic'"));
    }
    let list = options.required("topic")?;
    let names: Vec<&str> = list.split(';').map(str::trim).filter(|n| !n.is_empty()).collect();
    match names.as_slice() {
        [name] => {
            topics::check_name(name)?;
            Ok((*name).to_owned())
        }
        _ => Err(Error::user(format!("a sink writes to one topic, but 'topic' is '{list}'"))),
    }
}
