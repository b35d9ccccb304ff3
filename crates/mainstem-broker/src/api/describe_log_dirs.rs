//! DescribeLogDirs (35): the one data folder, and how large each partition is.

use crate::Broker;
use crate::topics::Topic;
use crate::wire::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::wire::{DescribeLogDirsRequest, DescribeLogDirsResponse, make};

/// The broker does not know where its disk is; clients only tell folders apart by it.
const FOLDER: &str = "data";

pub(super) fn handle(broker: &Broker, request: &DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let topics = match &request.topics {
        None => broker.topics.iter().map(|topic| describe(topic, None)).collect(),
        Some(asked) => {
            let known = asked.iter().filter_map(|asked| {
                let topic = broker.topics.by_name(&asked.topic)?;
                Some(describe(topic, Some(&asked.partitions)))
            });
            known.collect()
        }
    };
    let folder = make(|folder: &mut DescribeLogDirsResult| {
        folder.log_dir = FOLDER.into();
        folder.topics = topics;
    });
    make(|response: &mut DescribeLogDirsResponse| response.results = vec![folder])
}

fn describe(topic: &Topic, asked: Option<&[i32]>) -> DescribeLogDirsTopic {
    let partitions = topic.partitions.iter().zip(0..).filter_map(|(partition, index)| {
        if asked.is_some_and(|asked| !asked.contains(&index)) {
            return None;
        }
        let size = i64::try_from(partition.log.size_bytes()).unwrap_or(i64::MAX);
        Some(make(|answer: &mut DescribeLogDirsPartition| {
            answer.partition_index = index;
            answer.partition_size = size;
        }))
    });
    let partitions = partitions.collect();
    make(|answer: &mut DescribeLogDirsTopic| {
        answer.name = topic.name.clone();
        answer.partitions = partitions;
    })
}
