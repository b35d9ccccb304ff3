//! A broker in memory that has ended transactions without telling its partitions: no real one does so when it is asked to.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use kafka_wire::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_wire::describe_transactions_response::TransactionState;
use kafka_wire::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_wire::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_wire::{
    ApiVersionsResponse, DescribeProducersResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, EndTxnRequest, EndTxnResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse, MetadataResponse,
    RequestHeader, RequestResponsePair, ResponseHeader, WriteTxnMarkersResponse,
    api_versions_response, request_header_version, response_header_version,
};
use kafka_wire_core::{
    ApiVersion, DecodeLimits, Decoder, Encoder, KafkaDecode as _, KafkaEncode as _,
};
use mainstem_core::clock::ManualClock;
use rdkafka::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::kafka::coordinator::Cluster;
use crate::kafka::link::Link;
use crate::kafka::transactions::{Coordinator as _, Ended};
use crate::notices::{self, Notices};

const TOPIC: &str = "log";
const ID: &str = "id-0";
const PRODUCER: Producer = Producer { id: 7, epoch: 3 };

/// What the broker is and knows.
struct Known {
    /// How the transaction of [`ID`] stands; the first one is said first, the last one for ever.
    states: Vec<&'static str>,
    /// Answers to who leads partition 0, as `states`.
    leaders: Vec<i32>,
    /// Producers with an open transaction in partition 0.
    open: Vec<Producer>,
    /// What comes of a marker.
    marker_code: i16,
    knows_producers: bool,
    /// Markers that were written: producer, whether committed, epoch of the coordinator.
    markers: Vec<(Producer, bool, i32)>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            states: vec!["CompleteCommit"],
            leaders: vec![1],
            open: Vec::new(),
            marker_code: code::NONE,
            knows_producers: true,
            markers: Vec::new(),
        }
    }
}

/// The first of some, which goes unless it is the last one.
fn next<T: Copy>(all: &mut Vec<T>) -> T {
    if all.len() > 1 { all.remove(0) } else { all[0] }
}

fn make<T: Default>(fill: impl FnOnce(&mut T)) -> T {
    let mut made = T::default();
    fill(&mut made);
    made
}

impl Known {
    fn states(&mut self, _: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
        let state = make(|state: &mut TransactionState| {
            state.transactional_id = StrBytes::from(ID);
            state.transaction_state = StrBytes::from(next(&mut self.states));
            (state.producer_id, state.producer_epoch) = (PRODUCER.id, PRODUCER.epoch);
        });
        make(|answer: &mut DescribeTransactionsResponse| answer.transaction_states = vec![state])
    }

    fn metadata(&mut self, port: u16) -> MetadataResponse {
        let broker = make(|broker: &mut MetadataResponseBroker| {
            broker.node_id = 1;
            (broker.host, broker.port) = (StrBytes::from("127.0.0.1"), i32::from(port));
        });
        let partition = make(|partition: &mut MetadataResponsePartition| {
            partition.leader_id = next(&mut self.leaders);
        });
        let topic = make(|topic: &mut MetadataResponseTopic| {
            topic.name = Some(StrBytes::from(TOPIC));
            topic.partitions = vec![partition];
        });
        make(|answer: &mut MetadataResponse| {
            (answer.brokers, answer.topics) = (vec![broker], vec![topic]);
        })
    }

    fn producers(&self) -> DescribeProducersResponse {
        let states = self.open.iter().map(|open| {
            make(|state: &mut ProducerState| {
                (state.producer_id, state.producer_epoch) = (open.id, i32::from(open.epoch));
                (state.coordinator_epoch, state.current_txn_start_offset) = (5, 100);
            })
        });
        let partition =
            make(|answer: &mut PartitionResponse| answer.active_producers = states.collect());
        let topic = make(|answer: &mut TopicResponse| answer.partitions = vec![partition]);
        make(|answer: &mut DescribeProducersResponse| answer.topics = vec![topic])
    }

    fn write(&mut self, request: &WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
        let marker = &request.markers[0];
        let producer = Producer { id: marker.producer_id, epoch: marker.producer_epoch };
        if self.marker_code == code::NONE {
            self.markers.push((producer, marker.transaction_result, marker.coordinator_epoch));
            self.open.retain(|open| *open != producer);
        }
        let partition = make(|result: &mut WritableTxnMarkerPartitionResult| {
            result.error_code = self.marker_code;
        });
        let topic =
            make(|result: &mut WritableTxnMarkerTopicResult| result.partitions = vec![partition]);
        let marker = make(|result: &mut WritableTxnMarkerResult| result.topics = vec![topic]);
        make(|answer: &mut WriteTxnMarkersResponse| answer.markers = vec![marker])
    }

    fn abilities(&self) -> ApiVersionsResponse {
        let keys = if self.knows_producers { vec![27, 61] } else { vec![27] };
        let keys = keys
            .into_iter()
            .map(|key| make(|known: &mut api_versions_response::ApiVersion| known.api_key = key));
        make(|answer: &mut ApiVersionsResponse| answer.api_keys = keys.collect())
    }

    fn answer(&mut self, frame: &Bytes, port: u16) -> BytesMut {
        let key = i16::from_be_bytes([frame[0], frame[1]]);
        match key {
            3 => reply::<MetadataRequest>(frame, |request| {
                assert!(!request.allow_auto_topic_creation, "asking makes no topic");
                self.metadata(port)
            }),
            10 => reply::<FindCoordinatorRequest>(frame, |_| {
                make(|answer: &mut FindCoordinatorResponse| {
                    (answer.host, answer.port) = (StrBytes::from("127.0.0.1"), i32::from(port));
                })
            }),
            18 => reply::<ApiVersionsRequest>(frame, |_| self.abilities()),
            22 => reply::<InitProducerIdRequest>(frame, |_| {
                make(|answer: &mut InitProducerIdResponse| {
                    (answer.producer_id, answer.producer_epoch) = (PRODUCER.id, PRODUCER.epoch + 1);
                })
            }),
            26 => reply::<EndTxnRequest>(frame, |_| EndTxnResponse::default()),
            27 => reply::<WriteTxnMarkersRequest>(frame, |request| self.write(&request)),
            61 => reply::<DescribeProducersRequest>(frame, |_| self.producers()),
            65 => reply::<DescribeTransactionsRequest>(frame, |request| self.states(request)),
            other => panic!("nobody asks for API {other}"),
        }
    }
}

fn reply<R: RequestResponsePair>(frame: &Bytes, answer: impl FnOnce(R) -> R::Response) -> BytesMut {
    let mut decoder = Decoder::new(frame.clone(), DecodeLimits::default()).unwrap();
    let version = ApiVersion::new(i16::from_be_bytes([frame[2], frame[3]]));
    let flexible = R::is_flexible(version);
    let header = ApiVersion::new(request_header_version(flexible));
    RequestHeader::decode(&mut decoder, header).unwrap();
    let request = R::decode(&mut decoder, version).unwrap();
    let mut buffer = BytesMut::new();
    let header = ApiVersion::new(response_header_version(R::API_KEY, version, flexible));
    ResponseHeader::default().encode(&mut Encoder::new(&mut buffer), header).unwrap();
    answer(request).encode(&mut Encoder::new(&mut buffer), version).unwrap();
    buffer
}

async fn serve(mut stream: TcpStream, known: Arc<Mutex<Known>>, port: u16) {
    let length = stream.read_i32().await.unwrap();
    let mut frame = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut frame).await.unwrap();
    let answer = known.lock().unwrap().answer(&Bytes::from(frame), port);
    stream.write_i32(i32::try_from(answer.len()).unwrap()).await.unwrap();
    stream.write_all(&answer).await.unwrap();
}

/// A cluster of one such broker, and what the user is told.
async fn cluster(known: Known) -> (Cluster, Arc<Mutex<Known>>, Arc<Notices>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let known = Arc::new(Mutex::new(known));
    let served = Arc::clone(&known);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&served), port));
        }
    });
    let clock = Arc::new(ManualClock::new(0));
    let (environment, notices) = notices::environment(Path::new(""), clock);
    let link = Link::new("t", &format!("127.0.0.1:{port}"), environment.observer);
    (Cluster::new(&ClientConfig::new(), &link, TOPIC).unwrap(), known, notices)
}

fn markers(known: &Mutex<Known>) -> Vec<(Producer, bool, i32)> {
    known.lock().unwrap().markers.clone()
}

#[tokio::test]
async fn a_partition_that_was_not_told_of_a_commit_is_told() {
    let other = Producer { id: 8, epoch: 0 };
    let newer = Producer { epoch: PRODUCER.epoch + 1, ..PRODUCER };
    let open = vec![other, PRODUCER, newer];
    let states = vec!["PrepareCommit", "CompleteCommit"];
    let leaders = vec![-1, 1];
    let (cluster, known, notices) =
        cluster(Known { open, states, leaders, ..Known::default() }).await;
    assert_eq!(cluster.commit(ID, PRODUCER).await.unwrap(), Ended::Done);
    assert_eq!(markers(&known), [(PRODUCER, true, 5)]);
    assert_eq!(known.lock().unwrap().open, [other, newer], "others go on");
    let told = "t: Kafka has not told partition 0 of 'log' that transaction 'id-0' was committed; it knows now";
    assert_eq!(notices.all(), [told]);
    cluster.settle(ID, PRODUCER).await.unwrap();
    assert_eq!((markers(&known).len(), notices.all().len()), (1, 1), "once");
}

#[tokio::test]
async fn what_hangs_when_an_id_is_taken_over_ends_as_its_coordinator_had_decided() {
    let older = Producer { epoch: PRODUCER.epoch - 1, ..PRODUCER };
    for (state, committed) in
        [("CompleteCommit", true), ("CompleteAbort", false), ("Ongoing", false)]
    {
        let known = Known { open: vec![older], states: vec![state], ..Known::default() };
        let (cluster, known, _) = cluster(known).await;
        assert_eq!(cluster.init(ID, 1).await.unwrap().epoch, PRODUCER.epoch + 1);
        assert_eq!(markers(&known), [(older, committed, 5)], "{state}");
    }
}

#[tokio::test]
async fn a_broker_that_cannot_be_asked_or_told_is_left_alone() {
    let known = Known { open: vec![PRODUCER], knows_producers: false, ..Known::default() };
    let (silent, known, _) = cluster(known).await;
    silent.settle(ID, PRODUCER).await.unwrap();
    assert_eq!(markers(&known), []);
    let marker_code = code::CLUSTER_AUTHORIZATION_FAILED;
    let known = Known { open: vec![PRODUCER], marker_code, ..Known::default() };
    let (strict, known, notices) = cluster(known).await;
    strict.settle(ID, PRODUCER).await.unwrap();
    assert_eq!(markers(&known), []);
    assert!(notices.all()[0].contains("ACL ClusterAction"), "{:?}", notices.all());
}
