//! DescribeProducers (61): who has written to a partition, and whose transaction is open in it.

use crate::wire::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use crate::wire::{DescribeProducersRequest, DescribeProducersResponse, make};
use crate::{Broker, ErrorCode};

pub(super) fn handle(
    broker: &Broker,
    request: &DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let found = broker.topics.partition(&topic.name, *index);
            make(|answer: &mut PartitionResponse| {
                answer.partition_index = *index;
                answer.error_code = found.as_ref().err().map_or(ErrorCode::None, |e| *e).code();
                if let Ok(partition) = found {
                    answer.active_producers = partition.log.producers().map(state).collect();
                }
            })
        });
        let partitions = partitions.collect();
        make(|answer: &mut TopicResponse| {
            answer.name = topic.name.clone();
            answer.partitions = partitions;
        })
    });
    let topics = topics.collect();
    make(|response: &mut DescribeProducersResponse| response.topics = topics)
}

fn state(producer: mainstem_log::ProducerState) -> ProducerState {
    make(|state: &mut ProducerState| {
        state.producer_id = producer.producer_id;
        state.producer_epoch = i32::from(producer.producer_epoch);
        state.last_sequence = producer.last_sequence;
        state.last_timestamp = producer.last_timestamp_ms;
        state.coordinator_epoch = producer.coordinator_epoch;
        state.current_txn_start_offset = producer.open_transaction_offset.unwrap_or(-1);
    })
}
