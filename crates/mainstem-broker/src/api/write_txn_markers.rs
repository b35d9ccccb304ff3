//! WriteTxnMarkers (27), version 1: how an operator ends a transaction that hangs in a partition.

use super::Reply;
use crate::wire::write_txn_markers_request::WritableTxnMarker;
use crate::wire::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use crate::wire::{StrBytes, WriteTxnMarkersRequest, WriteTxnMarkersResponse, make};
use crate::{Broker, ErrorCode};

pub(super) fn handle(broker: &mut Broker, request: &WriteTxnMarkersRequest) -> Reply {
    let markers = request.markers.iter().map(|marker| {
        let topics = marker.topics.iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|index| {
                let code = write(broker, marker, &topic.name, *index).err();
                make(|result: &mut WritableTxnMarkerPartitionResult| {
                    result.partition_index = *index;
                    result.error_code = code.unwrap_or(ErrorCode::None).code();
                })
            });
            let partitions = partitions.collect();
            make(|result: &mut WritableTxnMarkerTopicResult| {
                result.name = topic.name.clone();
                result.partitions = partitions;
            })
        });
        let topics = topics.collect();
        make(|result: &mut WritableTxnMarkerResult| {
            result.producer_id = marker.producer_id;
            result.topics = topics;
        })
    });
    let markers = markers.collect();
    make(|response: &mut WriteTxnMarkersResponse| response.markers = markers).into()
}

fn write(
    broker: &mut Broker,
    marker: &WritableTxnMarker,
    topic: &StrBytes,
    index: i32,
) -> Result<(), ErrorCode> {
    let now_ms = broker.now_ms;
    let id = broker.topics.by_name(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?.id;
    let log = &mut broker.topics.partition_mut(topic, index)?.log;
    let (producer_id, epoch) = (marker.producer_id, marker.producer_epoch);
    let coordinator = marker.coordinator_epoch.max(0);
    log.append_marker(marker.transaction_result, producer_id, epoch, coordinator, now_ms)
        .map_err(|e| super::produce::code_of(&e))?;
    broker.touch(id, index);
    Ok(())
}
