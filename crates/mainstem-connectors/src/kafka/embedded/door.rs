//! The door to the broker of this process: [`EmbeddedTopics`] over whatever calls it.
//! Invariant: every call is a request of Kafka's protocol, handled by the same code as one from the network. A door is made
//! before the broker is started, so that a script can be refused first; it is opened once.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt as _};
use mainstem_broker::api::produce::{PartitionBatch, Produce};
use mainstem_broker::wire::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use mainstem_broker::wire::fetch_request::{FetchPartition, FetchTopic};
use mainstem_broker::wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use mainstem_broker::wire::metadata_request::MetadataRequestTopic;
use mainstem_broker::wire::metadata_response::MetadataResponseTopic;
use mainstem_broker::wire::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use mainstem_broker::wire::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use mainstem_broker::wire::{
    AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest, FetchRequest,
    InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, StrBytes, make,
};
use mainstem_broker::{ErrorCode, Request, Response};
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_log::RecordBatch;

use super::{EmbeddedTopics, Ended, Fetch, Fetched, OffsetAt, Producer};

/// Versions of the APIs that are called here; the newest that needs no topic ids.
const PRODUCE: i16 = 11;
const FETCH: i16 = 12;
const LIST_OFFSETS: i16 = 7;
const METADATA: i16 = 9;
const OFFSET_COMMIT: i16 = 8;
const OFFSET_FETCH: i16 = 8;
const INIT_PRODUCER_ID: i16 = 4;
const ADD_PARTITIONS_TO_TXN: i16 = 3;
const END_TXN: i16 = 3;
const DESCRIBE_TRANSACTIONS: i16 = 0;
const READ_COMMITTED: i8 = 1;

/// Brings requests to the broker, and answers back.
pub trait Caller: Debug + Send + Sync + 'static {
    /// Hands in a request of a version at once; its answer comes later. Records of a fetch are loaded.
    fn begin(&self, version: i16, request: Request)
    -> Result<BoxFuture<'static, Result<Response>>>;

    /// Returns after a moment that is worth waiting before something is asked once more.
    fn pause(&self) -> BoxFuture<'_, ()>;
}

/// A door that may not be open yet; cheap to clone.
#[derive(Debug)]
pub struct Door<C>(Arc<OnceLock<C>>);

impl<C> Clone for Door<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Default for Door<C> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<C: Caller> Door<C> {
    /// From now on calls reach the broker.
    pub fn open(&self, caller: C) {
        // Who opens it twice does so with the same broker: there is one in a process.
        let _ = self.0.set(caller);
    }

    fn caller(&self) -> Result<&C> {
        self.0.get().ok_or_else(|| Error::internal("the embedded broker is asked before it runs"))
    }

    async fn call(&self, version: i16, request: Request) -> Result<Response> {
        self.caller()?.begin(version, request)?.await
    }

    /// The answer to what `request` makes, once the end of the transaction before is carried out: until then the broker says
    /// that it is concurrent, and a client asks again.
    async fn call_settled(&self, version: i16, request: impl Fn() -> Request) -> Result<Response> {
        loop {
            let response = self.call(version, request()).await?;
            let code = match &response {
                Response::InitProducerId(response) => response.error_code,
                Response::EndTxn(response) => response.error_code,
                _ => return Ok(response),
            };
            if code != ErrorCode::ConcurrentTransactions.code() {
                return Ok(response);
            }
            self.caller()?.pause().await;
        }
    }

    async fn metadata(
        &self,
        topic: Option<&str>,
        create: bool,
    ) -> Result<Vec<MetadataResponseTopic>> {
        let request = make(|request: &mut MetadataRequest| {
            let named = |name| {
                vec![make(|asked: &mut MetadataRequestTopic| {
                    asked.name = Some(StrBytes::from(name))
                })]
            };
            request.topics = topic.map(named);
            request.allow_auto_topic_creation = create;
        });
        match self.call(METADATA, Request::Metadata(request)).await? {
            Response::Metadata(response) => Ok(response.topics),
            other => Err(unexpected(&other)),
        }
    }
}

#[async_trait]
impl<C: Caller> EmbeddedTopics for Door<C> {
    async fn topics(&self) -> Result<Vec<(String, usize)>> {
        let topics = self.metadata(None, false).await?.into_iter();
        Ok(topics.filter_map(|t| Some((t.name?.to_string(), t.partitions.len()))).collect())
    }

    async fn partition_count(&self, topic: &str, create: bool) -> Result<Option<usize>> {
        let found = self.metadata(Some(topic), create).await?.into_iter().next();
        let Some(found) = found else { return Ok(None) };
        match found.error_code {
            code if code == ErrorCode::UnknownTopicOrPartition.code() => Ok(None),
            code => {
                check(code, || format!("topic '{topic}'"))?;
                Ok(Some(found.partitions.len()))
            }
        }
    }

    async fn fetch(&self, fetch: Fetch<'_>) -> Result<Fetched> {
        let partition = make(|asked: &mut FetchPartition| {
            asked.partition = fetch.partition;
            asked.fetch_offset = fetch.offset;
            asked.partition_max_bytes = fetch.bytes_max;
        });
        let request = make(|request: &mut FetchRequest| {
            request.max_wait_ms = fetch.wait_ms;
            request.min_bytes = 1;
            request.max_bytes = fetch.bytes_max;
            request.isolation_level = if fetch.committed { READ_COMMITTED } else { 0 };
            request.topics = vec![make(|topic: &mut FetchTopic| {
                topic.topic = StrBytes::from(fetch.topic);
                topic.partitions = vec![partition];
            })];
        });
        let answer = match self.call(FETCH, Request::Fetch(request)).await? {
            Response::Fetch(answer) => answer.into_response(),
            other => return Err(unexpected(&other)),
        };
        let place = || format!("topic '{}', partition {}", fetch.topic, fetch.partition);
        check(answer.error_code, place)?;
        let found = answer.responses.into_iter().flat_map(|topic| topic.partitions).next();
        let Some(found) = found else { return Ok(Fetched::default()) };
        check(found.error_code, place)?;
        let aborted = found.aborted_transactions.unwrap_or_default().into_iter();
        Ok(Fetched {
            records: found.records.unwrap_or_default(),
            readable_to: match fetch.committed {
                true => found.last_stable_offset,
                false => found.high_watermark,
            },
            aborted: aborted.map(|a| (a.producer_id, a.first_offset)).collect(),
        })
    }

    async fn offset(&self, topic: &str, partition: i32, at: OffsetAt) -> Result<Option<i64>> {
        let asked = make(|asked: &mut ListOffsetsPartition| {
            asked.partition_index = partition;
            asked.current_leader_epoch = -1;
            asked.timestamp = match at {
                OffsetAt::Latest | OffsetAt::LatestStable => -1,
                OffsetAt::Earliest => -2,
                OffsetAt::Time(ms) => ms.max(0),
            };
        });
        let request = make(|request: &mut ListOffsetsRequest| {
            request.replica_id = -1;
            request.isolation_level = if at == OffsetAt::LatestStable { READ_COMMITTED } else { 0 };
            request.topics = vec![make(|of: &mut ListOffsetsTopic| {
                of.name = StrBytes::from(topic);
                of.partitions = vec![asked];
            })];
        });
        let response = match self.call(LIST_OFFSETS, Request::ListOffsets(request)).await? {
            Response::ListOffsets(response) => response,
            other => return Err(unexpected(&other)),
        };
        let found = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let Some(found) = found else { return Ok(None) };
        check(found.error_code, || format!("topic '{topic}', partition {partition}"))?;
        Ok((found.offset >= 0).then_some(found.offset))
    }

    async fn committed(&self, group: &str, topic: &str, partition: i32) -> Result<Option<i64>> {
        let request = make(|request: &mut OffsetFetchRequest| {
            request.groups = vec![make(|asked: &mut OffsetFetchRequestGroup| {
                asked.group_id = StrBytes::from(group);
                asked.topics = Some(vec![make(|of: &mut OffsetFetchRequestTopics| {
                    of.name = StrBytes::from(topic);
                    of.partition_indexes = vec![partition];
                })]);
            })];
        });
        let response = match self.call(OFFSET_FETCH, Request::OffsetFetch(request)).await? {
            Response::OffsetFetch(response) => response,
            other => return Err(unexpected(&other)),
        };
        let Some(found) = response.groups.into_iter().next() else { return Ok(None) };
        check(found.error_code, || format!("group '{group}'"))?;
        let found = found.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let Some(found) = found else { return Ok(None) };
        check(found.error_code, || format!("group '{group}', topic '{topic}'"))?;
        Ok((found.committed_offset >= 0).then_some(found.committed_offset))
    }

    fn commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> BoxFuture<'static, Result<()>> {
        let request = make(|request: &mut OffsetCommitRequest| {
            request.group_id = StrBytes::from(group);
            request.generation_id_or_member_epoch = -1;
            request.topics = vec![make(|of: &mut OffsetCommitRequestTopic| {
                of.name = StrBytes::from(topic);
                of.partitions = vec![make(|commit: &mut OffsetCommitRequestPartition| {
                    commit.partition_index = partition;
                    commit.committed_offset = offset;
                    commit.committed_leader_epoch = -1;
                })];
            })];
        });
        let place = format!("group '{group}', topic '{topic}', partition {partition}");
        let answer =
            self.caller().and_then(|c| c.begin(OFFSET_COMMIT, Request::OffsetCommit(request)));
        async move {
            let response = match answer?.await? {
                Response::OffsetCommit(response) => response,
                other => return Err(unexpected(&other)),
            };
            let mut codes = response.topics.into_iter().flat_map(|topic| topic.partitions);
            codes.try_for_each(|partition| check(partition.error_code, || place.clone()))
        }
        .boxed()
    }

    fn append(
        &self,
        topic: &str,
        transactional_id: Option<&str>,
        batches: Vec<(i32, RecordBatch)>,
    ) -> BoxFuture<'static, Result<()>> {
        let batches = batches.into_iter();
        let batches = batches.map(|(index, batch)| PartitionBatch { index, batch: Ok(batch) });
        let request = Produce {
            transactional_id: transactional_id.map(StrBytes::from),
            acks: -1,
            topics: vec![(StrBytes::from(topic), batches.collect())],
        };
        let topic = topic.to_owned();
        let answer = self.caller().and_then(|c| c.begin(PRODUCE, Request::Produce(request)));
        async move {
            let response = match answer?.await? {
                Response::Produce(response) => response,
                other => return Err(unexpected(&other)),
            };
            for found in response.responses.into_iter().flat_map(|topic| topic.partition_responses)
            {
                let place = || format!("topic '{topic}', partition {}", found.index);
                let why = found.error_message.as_deref();
                check(found.error_code, place).map_err(|e| match why {
                    Some(why) => e.with_detail(why),
                    None => e,
                })?;
            }
            Ok(())
        }
        .boxed()
    }

    async fn producer(&self, id: &str) -> Result<Option<Producer>> {
        let request = make(|request: &mut DescribeTransactionsRequest| {
            request.transactional_ids = vec![StrBytes::from(id)];
        });
        let request = Request::DescribeTransactions(request);
        let response = match self.call(DESCRIBE_TRANSACTIONS, request).await? {
            Response::DescribeTransactions(response) => response,
            other => return Err(unexpected(&other)),
        };
        let Some(state) = response.transaction_states.into_iter().next() else { return Ok(None) };
        if state.error_code == ErrorCode::TransactionalIdNotFound.code() {
            return Ok(None);
        }
        check(state.error_code, || format!("transaction '{id}'"))?;
        Ok(Some(Producer { id: state.producer_id, epoch: state.producer_epoch }))
    }

    async fn init_producer(&self, id: &str, timeout_ms: i32) -> Result<Producer> {
        // What was left open is aborted first.
        let request = || {
            Request::InitProducerId(make(|request: &mut InitProducerIdRequest| {
                request.transactional_id = Some(StrBytes::from(id));
                request.transaction_timeout_ms = timeout_ms;
                (request.producer_id, request.producer_epoch) = (-1, -1);
            }))
        };
        let response = match self.call_settled(INIT_PRODUCER_ID, request).await? {
            Response::InitProducerId(response) => response,
            other => return Err(unexpected(&other)),
        };
        check(response.error_code, || format!("transaction '{id}'"))?;
        Ok(Producer { id: response.producer_id, epoch: response.producer_epoch })
    }

    async fn add_partitions(
        &self,
        id: &str,
        producer: Producer,
        topic: &str,
        partitions: &[i32],
    ) -> Result<()> {
        let request = make(|request: &mut AddPartitionsToTxnRequest| {
            request.v3_and_below_transactional_id = StrBytes::from(id);
            request.v3_and_below_producer_id = producer.id;
            request.v3_and_below_producer_epoch = producer.epoch;
            request.v3_and_below_topics = vec![make(|added: &mut AddPartitionsToTxnTopic| {
                added.name = StrBytes::from(topic);
                added.partitions = partitions.to_vec();
            })];
        });
        let request = Request::AddPartitionsToTxn(request);
        let response = match self.call(ADD_PARTITIONS_TO_TXN, request).await? {
            Response::AddPartitionsToTxn(response) => response,
            other => return Err(unexpected(&other)),
        };
        let added = response.results_by_topic_v3_and_below.into_iter();
        let mut added = added.flat_map(|topic| topic.results_by_partition);
        added.try_for_each(|partition| {
            check(partition.partition_error_code, || {
                format!("topic '{topic}', partition {}", partition.partition_index)
            })
        })
    }

    async fn commit_transaction(&self, id: &str, producer: Producer) -> Result<Ended> {
        use ErrorCode as Code;
        let request = || {
            Request::EndTxn(make(|request: &mut EndTxnRequest| {
                request.transactional_id = StrBytes::from(id);
                (request.producer_id, request.producer_epoch) = (producer.id, producer.epoch);
                request.committed = true;
            }))
        };
        let response = match self.call_settled(END_TXN, request).await? {
            Response::EndTxn(response) => response,
            other => return Err(unexpected(&other)),
        };
        let is = |known: Code| response.error_code == known.code();
        match () {
            () if is(Code::InvalidProducerIdMapping) => Ok(Ended::Unknown),
            () if is(Code::ProducerFenced) || is(Code::InvalidProducerEpoch) => Ok(Ended::Aborted),
            () if is(Code::InvalidTxnState) => Ok(Ended::Aborted),
            () => {
                check(response.error_code, || format!("transaction '{id}'")).map(|()| Ended::Done)
            }
        }
    }
}

fn unexpected(response: &Response) -> Error {
    Error::internal("the embedded broker gave the answer to another question")
        .with_detail(format!("{response:.80?}"))
}

/// An error code as an error that names what it is about.
fn check(code: i16, place: impl FnOnce() -> String) -> Result<()> {
    use ErrorCode as Code;
    if code == Code::None.code() {
        return Ok(());
    }
    let is = |known: ErrorCode| code == known.code();
    Err(match () {
        () if is(Code::UnknownTopicOrPartition) || is(Code::UnknownTopicId) => {
            Error::user(format!("{} does not exist any more", place()))
                .with_hint("was the topic deleted?")
        }
        () if is(Code::OffsetOutOfRange) => {
            let text = format!("the offset to go on from in {} is not there any more", place());
            Error::user(text)
                .with_detail(
                    "retention removed it, or the topic was created anew, since it was read",
                )
                .with_hint("start again with 'scan.startup.mode' = 'earliest-offset'")
        }
        () if is(Code::MessageTooLarge) || is(Code::RecordListTooLarge) => {
            Error::user(format!("{}: a record is larger than the topic takes", place()))
                .with_hint("raise 'max.message.bytes' of the topic")
        }
        () if is(Code::InvalidRecord) => Error::user(format!("{}: a record is refused", place()))
            .with_hint("a topic that is compacted takes records with a key only"),
        () if is(Code::InvalidTopicException) => {
            Error::user(format!("{} cannot be the name of a topic", place()))
        }
        () if is(Code::ProducerFenced)
            || is(Code::InvalidProducerEpoch)
            || is(Code::InvalidTxnState)
            || is(Code::InvalidProducerIdMapping) =>
        {
            let text = format!("{}: the transaction was ended by somebody else", place());
            Error::new(ErrorKind::Conflict, text).with_hint(
                "it took longer than 'properties.transaction.timeout.ms', or another pipeline has the same \
                 'sink.transactional-id-prefix'",
            )
        }
        () if is(Code::InvalidTransactionTimeout) => {
            Error::user(format!("{}: the broker allows no such timeout", place())).with_hint(
                "'properties.transaction.timeout.ms' is at most transaction.max.timeout.ms of the broker",
            )
        }
        () if is(Code::KafkaStorageError) => {
            Error::unavailable(format!("{}: the disk of the embedded broker has failed", place()))
        }
        () => {
            let text = format!("{}: the embedded broker answers with error {code}", place());
            Error::new(ErrorKind::Unavailable, text)
        }
    })
}
