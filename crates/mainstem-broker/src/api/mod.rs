//! Every API that is spoken: its number, the versions, what reads and writes it, and the arm that handles it.
//! Invariant: a line in the table and an arm in `dispatch` per API; ApiVersions advertises exactly this table. A handler
//! returns its answer, or `Reply::Later` after it has stored the call where something will answer it.

use std::ops::RangeInclusive;

use bytes::BytesMut;
use kafka_wire_core::{ApiVersion, Decoder, KafkaDecode as _};

use crate::wire::{self, *};
use crate::{Broker, Call, ErrorCode};

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_configs;
mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod describe_transactions;
mod elect_leaders;
mod end_txn;
pub mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
pub mod produce;
mod sync_group;
mod txn_offset_commit;
mod write_txn_markers;

/// One API, as it is spoken here.
#[derive(Debug)]
pub struct Api {
    /// Kafka's number.
    pub key: i16,
    /// Kafka's name.
    pub name: &'static str,
    /// The versions that are advertised.
    pub advertised: RangeInclusive<i16>,
    /// The versions that are understood: a client may be told of more than that (Produce).
    pub readable: RangeInclusive<i16>,
    flexible_from: i16,
}

impl Api {
    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }
}

/// What a handler says.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The answer is known.
    Now(Response),
    /// The call was stored; an action answers it later.
    Later,
}

impl<T: Into<Response>> From<T> for Reply {
    fn from(response: T) -> Self {
        Self::Now(response.into())
    }
}

/// Requests, responses, their codecs and the table, from one list. A macro, because five lists of fifty lines that must
/// agree are worse.
macro_rules! apis {
    ($($name:ident: $request:ident as $taken:ty => $response:ident as $given:ty, $advertised:expr, $readable:expr;)*) => {
        /// A request, read.
        #[derive(Debug)]
        pub enum Request {
            $(#[doc = concat!("`", stringify!($request), "`")] $name($taken),)*
            /// ApiVersions in a version that we do not know: answered in version 0.
            UnknownApiVersions,
        }

        /// An answer.
        #[derive(Debug)]
        pub enum Response {
            $(#[doc = concat!("`", stringify!($response), "`")] $name($given),)*
            /// Nothing is sent (acks=0).
            None,
        }

        $(impl From<$given> for Response {
            fn from(response: $given) -> Self { Self::$name(response) }
        })*

        /// All APIs, by number.
        pub const APIS: &[Api] = &[$(Api {
            key: wire::$request::API_KEY.value(),
            name: stringify!($name),
            advertised: $advertised,
            readable: $readable,
            flexible_from: match wire::$request::FLEXIBLE_VERSIONS {
                Some(range) => range.min().value(),
                None => i16::MAX,
            },
        }),*];

        /// Reads the body of a request.
        pub(crate) fn decode_body(api_key: i16, version: ApiVersion, decoder: &mut Decoder) -> Result<Request, FrameError> {
            $(if api_key == wire::$request::API_KEY.value() {
                return Ok(Request::$name(wire::$request::decode(decoder, version)?.into()));
            })*
            Err(FrameError::Unsupported { api_key, version: version.value() })
        }

        /// Writes the body of an answer.
        pub(crate) fn encode_body(response: &Response, version: ApiVersion, buffer: &mut BytesMut) -> Result<(), EncodeError> {
            match response {
                $(Response::$name(response) => {
                    let response: &wire::$response = std::borrow::Borrow::borrow(response);
                    response.encode_into(buffer, version)?;
                })*
                Response::None => {}
            }
            Ok(())
        }

        /// One answer of each API, in the order of [`APIS`].
        #[cfg(test)]
        pub(crate) fn default_responses() -> Vec<Response> {
            vec![$(Response::$name(<$given>::default())),*]
        }

        /// Reads the body of an answer, and throws it away.
        #[cfg(test)]
        pub(crate) fn skip_response(api_key: i16, version: ApiVersion, decoder: &mut Decoder) -> Result<(), kafka_wire_core::DecodeError> {
            $(if api_key == wire::$request::API_KEY.value() {
                return wire::$response::decode(decoder, version).map(drop);
            })*
            unreachable!("an API of the table")
        }
    };
}

apis! {
    // name: the codec's request as what a handler takes => the codec's response as what a handler gives, advertised, understood
    Produce: ProduceRequest as produce::Produce => ProduceResponse as ProduceResponse, 0..=12, 3..=12;
    Fetch: FetchRequest as FetchRequest => FetchResponse as fetch::FetchAnswer, 4..=17, 4..=17;
    Metadata: MetadataRequest as MetadataRequest => MetadataResponse as MetadataResponse, 0..=13, 0..=13;
    ApiVersions: ApiVersionsRequest as ApiVersionsRequest => ApiVersionsResponse as ApiVersionsResponse, 0..=4, 0..=4;
    OffsetCommit: OffsetCommitRequest as OffsetCommitRequest => OffsetCommitResponse as OffsetCommitResponse, 2..=9, 2..=9;
    OffsetFetch: OffsetFetchRequest as OffsetFetchRequest => OffsetFetchResponse as OffsetFetchResponse, 1..=9, 1..=9;
    FindCoordinator: FindCoordinatorRequest as FindCoordinatorRequest => FindCoordinatorResponse as FindCoordinatorResponse, 0..=6, 0..=6;
    JoinGroup: JoinGroupRequest as JoinGroupRequest => JoinGroupResponse as JoinGroupResponse, 0..=9, 0..=9;
    Heartbeat: HeartbeatRequest as HeartbeatRequest => HeartbeatResponse as HeartbeatResponse, 0..=4, 0..=4;
    LeaveGroup: LeaveGroupRequest as LeaveGroupRequest => LeaveGroupResponse as LeaveGroupResponse, 0..=5, 0..=5;
    SyncGroup: SyncGroupRequest as SyncGroupRequest => SyncGroupResponse as SyncGroupResponse, 0..=5, 0..=5;
    DescribeGroups: DescribeGroupsRequest as DescribeGroupsRequest => DescribeGroupsResponse as DescribeGroupsResponse, 0..=6, 0..=6;
    ListGroups: ListGroupsRequest as ListGroupsRequest => ListGroupsResponse as ListGroupsResponse, 0..=5, 0..=5;
    InitProducerId: InitProducerIdRequest as InitProducerIdRequest => InitProducerIdResponse as InitProducerIdResponse, 0..=5, 0..=5;
    AddPartitionsToTxn: AddPartitionsToTxnRequest as AddPartitionsToTxnRequest => AddPartitionsToTxnResponse as AddPartitionsToTxnResponse, 0..=3, 0..=3;
    AddOffsetsToTxn: AddOffsetsToTxnRequest as AddOffsetsToTxnRequest => AddOffsetsToTxnResponse as AddOffsetsToTxnResponse, 0..=4, 0..=4;
    EndTxn: EndTxnRequest as EndTxnRequest => EndTxnResponse as EndTxnResponse, 0..=4, 0..=4;
    WriteTxnMarkers: WriteTxnMarkersRequest as WriteTxnMarkersRequest => WriteTxnMarkersResponse as WriteTxnMarkersResponse, 1..=1, 1..=1;
    TxnOffsetCommit: TxnOffsetCommitRequest as TxnOffsetCommitRequest => TxnOffsetCommitResponse as TxnOffsetCommitResponse, 0..=4, 0..=4;
    DescribeProducers: DescribeProducersRequest as DescribeProducersRequest => DescribeProducersResponse as DescribeProducersResponse, 0..=0, 0..=0;
    DescribeTransactions: DescribeTransactionsRequest as DescribeTransactionsRequest => DescribeTransactionsResponse as DescribeTransactionsResponse, 0..=0, 0..=0;
    ListTransactions: ListTransactionsRequest as ListTransactionsRequest => ListTransactionsResponse as ListTransactionsResponse, 0..=2, 0..=2;
    DeleteGroups: DeleteGroupsRequest as DeleteGroupsRequest => DeleteGroupsResponse as DeleteGroupsResponse, 0..=2, 0..=2;
    OffsetDelete: OffsetDeleteRequest as OffsetDeleteRequest => OffsetDeleteResponse as OffsetDeleteResponse, 0..=0, 0..=0;
    CreateTopics: CreateTopicsRequest as CreateTopicsRequest => CreateTopicsResponse as CreateTopicsResponse, 2..=7, 2..=7;
    ListOffsets: ListOffsetsRequest as ListOffsetsRequest => ListOffsetsResponse as ListOffsetsResponse, 1..=11, 1..=11;
    DeleteTopics: DeleteTopicsRequest as DeleteTopicsRequest => DeleteTopicsResponse as DeleteTopicsResponse, 1..=6, 1..=6;
    SaslHandshake: SaslHandshakeRequest as SaslHandshakeRequest => SaslHandshakeResponse as SaslHandshakeResponse, 0..=1, 0..=1;
    SaslAuthenticate: SaslAuthenticateRequest as SaslAuthenticateRequest => SaslAuthenticateResponse as SaslAuthenticateResponse, 0..=2, 0..=2;
    DeleteRecords: DeleteRecordsRequest as DeleteRecordsRequest => DeleteRecordsResponse as DeleteRecordsResponse, 0..=2, 0..=2;
    OffsetForLeaderEpoch: OffsetForLeaderEpochRequest as OffsetForLeaderEpochRequest => OffsetForLeaderEpochResponse as OffsetForLeaderEpochResponse, 2..=4, 2..=4;
    DescribeConfigs: DescribeConfigsRequest as DescribeConfigsRequest => DescribeConfigsResponse as DescribeConfigsResponse, 1..=4, 1..=4;
    AlterConfigs: AlterConfigsRequest as AlterConfigsRequest => AlterConfigsResponse as AlterConfigsResponse, 0..=2, 0..=2;
    DescribeLogDirs: DescribeLogDirsRequest as DescribeLogDirsRequest => DescribeLogDirsResponse as DescribeLogDirsResponse, 1..=4, 1..=4;
    CreatePartitions: CreatePartitionsRequest as CreatePartitionsRequest => CreatePartitionsResponse as CreatePartitionsResponse, 0..=3, 0..=3;
    ElectLeaders: ElectLeadersRequest as ElectLeadersRequest => ElectLeadersResponse as ElectLeadersResponse, 0..=2, 0..=2;
    IncrementalAlterConfigs: IncrementalAlterConfigsRequest as IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse as IncrementalAlterConfigsResponse, 0..=1, 0..=1;
    ListPartitionReassignments: ListPartitionReassignmentsRequest as ListPartitionReassignmentsRequest => ListPartitionReassignmentsResponse as ListPartitionReassignmentsResponse, 0..=0, 0..=0;
    DescribeCluster: DescribeClusterRequest as DescribeClusterRequest => DescribeClusterResponse as DescribeClusterResponse, 0..=2, 0..=2;
    DescribeTopicPartitions: DescribeTopicPartitionsRequest as DescribeTopicPartitionsRequest => DescribeTopicPartitionsResponse as DescribeTopicPartitionsResponse, 0..=0, 0..=0;
}

pub(crate) fn find(api_key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key == api_key)
}

/// Hands a request to its handler.
pub(crate) fn dispatch(broker: &mut Broker, call: &Call, request: Request) -> Reply {
    match request {
        Request::UnknownApiVersions => api_versions::unknown_version().into(),
        Request::ApiVersions(request) => api_versions::handle(&request).into(),
        Request::Produce(request) => produce::handle(broker, call, request),
        Request::Fetch(request) => fetch::handle(broker, call, request),
        Request::Metadata(request) => metadata::handle(broker, call, request),
        Request::OffsetCommit(request) => offset_commit::handle(broker, call, request),
        Request::OffsetFetch(request) => {
            // What is shown was committed for good: a crash does not take it back.
            let response = offset_fetch::handle(broker, call, &request);
            broker.respond_durably(call.id, response)
        }
        Request::FindCoordinator(request) => {
            find_coordinator::handle(broker, call, &request).into()
        }
        Request::JoinGroup(request) => join_group::handle(broker, call, request),
        Request::Heartbeat(request) => heartbeat::handle(broker, &request).into(),
        Request::LeaveGroup(request) => leave_group::handle(broker, call, &request).into(),
        Request::SyncGroup(request) => sync_group::handle(broker, call, request),
        Request::DescribeGroups(request) => describe_groups::handle(broker, call, &request).into(),
        Request::ListGroups(request) => list_groups::handle(broker, &request).into(),
        Request::InitProducerId(request) => init_producer_id::handle(broker, call, request),
        Request::AddPartitionsToTxn(request) => {
            add_partitions_to_txn::handle(broker, call, &request)
        }
        Request::AddOffsetsToTxn(request) => add_offsets_to_txn::handle(broker, call, &request),
        Request::EndTxn(request) => end_txn::handle(broker, call, &request),
        Request::WriteTxnMarkers(request) => write_txn_markers::handle(broker, &request),
        Request::TxnOffsetCommit(request) => txn_offset_commit::handle(broker, call, &request),
        Request::DescribeProducers(request) => describe_producers::handle(broker, &request).into(),
        Request::DescribeTransactions(request) => {
            describe_transactions::handle(broker, &request).into()
        }
        Request::ListTransactions(request) => list_transactions::handle(broker, &request).into(),
        Request::DeleteGroups(request) => delete_groups::handle(broker, call, &request),
        Request::OffsetDelete(request) => offset_delete::handle(broker, call, request),
        Request::CreateTopics(request) => create_topics::handle(broker, call, request),
        // A connection that has to log in answers these by itself; everybody else is in already.
        Request::SaslHandshake(_) => make(|response: &mut SaslHandshakeResponse| {
            response.error_code = ErrorCode::IllegalSaslState.code();
        })
        .into(),
        Request::SaslAuthenticate(_) => make(|response: &mut SaslAuthenticateResponse| {
            response.error_code = ErrorCode::IllegalSaslState.code();
        })
        .into(),
        Request::ListOffsets(request) => list_offsets::handle(broker, call, &request).into(),
        Request::DeleteTopics(request) => delete_topics::handle(broker, call, request),
        Request::DeleteRecords(request) => delete_records::handle(broker, &request),
        Request::OffsetForLeaderEpoch(request) => {
            offset_for_leader_epoch::handle(broker, &request).into()
        }
        Request::DescribeConfigs(request) => {
            describe_configs::handle(broker, call, &request).into()
        }
        Request::AlterConfigs(request) => alter_configs::handle(broker, call, &request),
        Request::IncrementalAlterConfigs(request) => {
            incremental_alter_configs::handle(broker, call, &request)
        }
        Request::DescribeLogDirs(request) => describe_log_dirs::handle(broker, &request).into(),
        Request::CreatePartitions(request) => create_partitions::handle(broker, call, &request),
        Request::ElectLeaders(request) => elect_leaders::handle(broker, &request).into(),
        Request::ListPartitionReassignments(_) => list_partition_reassignments::handle().into(),
        Request::DescribeCluster(request) => {
            describe_cluster::handle(broker, call, &request).into()
        }
        Request::DescribeTopicPartitions(request) => {
            describe_topic_partitions::handle(broker, &request).into()
        }
    }
}
