//! DescribeCluster (60): one broker, which is its own controller.

use super::metadata;
use crate::wire::describe_cluster_response::DescribeClusterBroker;
use crate::wire::{DescribeClusterRequest, DescribeClusterResponse, make};
use crate::{Broker, Call, ErrorCode};

const BROKERS: i8 = 1;

pub(super) fn handle(
    broker: &Broker,
    call: &Call,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    if request.endpoint_type != BROKERS {
        return make(|response: &mut DescribeClusterResponse| {
            response.error_code = ErrorCode::MismatchedEndpointType.code();
            response.error_message = Some("this is a broker, not a controller".into());
        });
    }
    let us = make(|us: &mut DescribeClusterBroker| {
        us.broker_id = broker.settings.node_id;
        us.host = call.advertised.host.clone();
        us.port = i32::from(call.advertised.port);
    });
    make(|response: &mut DescribeClusterResponse| {
        response.cluster_id = broker.cluster_id.clone();
        response.controller_id = broker.settings.node_id;
        response.brokers = vec![us];
        if request.include_cluster_authorized_operations {
            response.cluster_authorized_operations = metadata::CLUSTER_OPERATIONS;
        }
    })
}
