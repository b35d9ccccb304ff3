//! ElectLeaders (43): the one broker leads every partition already.

use crate::wire::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use crate::wire::{ElectLeadersRequest, ElectLeadersResponse, make};
use crate::{Broker, ErrorCode};

pub(super) fn handle(broker: &Broker, request: &ElectLeadersRequest) -> ElectLeadersResponse {
    // Asked for all partitions, Kafka lists only those that had an election.
    let asked = request.topic_partitions.iter().flatten();
    let results = asked.map(|topic| {
        let partitions = topic.partitions.iter().map(|index| {
            let code = match broker.topics.partition(&topic.topic, *index) {
                Ok(_) => ErrorCode::ElectionNotNeeded,
                Err(code) => code,
            };
            make(|result: &mut PartitionResult| {
                result.partition_id = *index;
                result.error_code = code.code();
            })
        });
        let partitions = partitions.collect();
        make(|result: &mut ReplicaElectionResult| {
            result.topic = topic.topic.clone();
            result.partition_result = partitions;
        })
    });
    let results = results.collect();
    make(|response: &mut ElectLeadersResponse| response.replica_election_results = results)
}
