//! The answer to Fetch as bytes, its records left in their files.
//! Invariant: the bytes are those that the codec would write with the records in memory; it wants them there, so it is not
//! asked. What is never set (throttling, sessions, epochs, replicas) is written as the codec's defaults are.

use bytes::{BufMut as _, BytesMut};
use kafka_wire_core::EncodeError;
use mainstem_log::FileRange;

use super::{FetchAnswer, VERSION_OF_IDS};
use crate::outbound::Outbound;
use crate::wire::StrBytes;
use crate::wire::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};

const VERSION_OF_SESSIONS: i16 = 7;
const VERSION_OF_LOG_STARTS: i16 = 5;
const VERSION_OF_REPLICAS: i16 = 11;
const FLEXIBLE_VERSION: i16 = 12;

/// Writes an answer behind `head`; of a frame, whose length is put into its first four bytes.
pub(crate) fn write(
    answer: &FetchAnswer,
    version: i16,
    head: BytesMut,
) -> Result<Outbound, EncodeError> {
    let mut frame = Frame { version, bytes: head, parts: Vec::new(), file_bytes: 0 };
    let response = &answer.response;
    frame.bytes.put_i32(response.throttle_time_ms);
    if version >= VERSION_OF_SESSIONS {
        frame.bytes.put_i16(response.error_code);
        frame.bytes.put_i32(response.session_id);
    }
    frame.count(response.responses.len());
    let mut ranges = answer.ranges.iter().peekable();
    for (at, topic) in response.responses.iter().enumerate() {
        frame.topic(topic)?;
        for (index, partition) in topic.partitions.iter().enumerate() {
            let own = ranges.next_if(|(topic, partition, _)| (*topic, *partition) == (at, index));
            frame.partition(partition, own.map_or(&[], |(_, _, ranges)| ranges));
        }
        frame.tags();
    }
    frame.tags();
    frame.finish()
}

struct Frame {
    version: i16,
    /// Behind the last part.
    bytes: BytesMut,
    /// Bytes, and the file range behind them.
    parts: Vec<(BytesMut, FileRange)>,
    file_bytes: usize,
}

impl Frame {
    fn is_flexible(&self) -> bool {
        self.version >= FLEXIBLE_VERSION
    }

    /// How many elements, or bytes, follow.
    fn count(&mut self, count: usize) {
        if self.is_flexible() {
            self.varint(count + 1);
        } else {
            self.bytes.put_i32(count as i32);
        }
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.bytes.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.put_u8(value as u8);
    }

    fn no_list(&mut self) {
        if self.is_flexible() { self.varint(0) } else { self.bytes.put_i32(-1) }
    }

    /// There are never any.
    fn tags(&mut self) {
        if self.is_flexible() {
            self.bytes.put_u8(0);
        }
    }

    fn topic(&mut self, topic: &FetchableTopicResponse) -> Result<(), EncodeError> {
        if self.version >= VERSION_OF_IDS {
            self.bytes.put_slice(topic.topic_id.as_bytes());
        } else {
            self.name(&topic.topic)?;
        }
        self.count(topic.partitions.len());
        Ok(())
    }

    fn name(&mut self, name: &StrBytes) -> Result<(), EncodeError> {
        let length = i16::try_from(name.len())
            .map_err(|_| EncodeError::FrameTooLarge { bytes: name.len() })?;
        if self.is_flexible() {
            self.varint(name.len() + 1);
        } else {
            self.bytes.put_i16(length);
        }
        self.bytes.put_slice(name.as_bytes());
        Ok(())
    }

    fn partition(&mut self, partition: &PartitionData, ranges: &[FileRange]) {
        self.bytes.put_i32(partition.partition_index);
        self.bytes.put_i16(partition.error_code);
        self.bytes.put_i64(partition.high_watermark);
        self.bytes.put_i64(partition.last_stable_offset);
        if self.version >= VERSION_OF_LOG_STARTS {
            self.bytes.put_i64(partition.log_start_offset);
        }
        match &partition.aborted_transactions {
            Some(aborted) => self.aborted(aborted),
            None => self.no_list(),
        }
        if self.version >= VERSION_OF_REPLICAS {
            self.bytes.put_i32(partition.preferred_read_replica);
        }
        self.count(ranges.iter().map(|range| range.len as usize).sum());
        for range in ranges {
            self.file_bytes += range.len as usize;
            self.parts.push((self.bytes.split(), range.clone()));
        }
        self.tags();
    }

    fn aborted(&mut self, aborted: &[AbortedTransaction]) {
        self.count(aborted.len());
        for transaction in aborted {
            self.bytes.put_i64(transaction.producer_id);
            self.bytes.put_i64(transaction.first_offset);
            self.tags();
        }
    }

    fn finish(mut self) -> Result<Outbound, EncodeError> {
        let bytes = self.parts.iter().map(|(bytes, _)| bytes.len()).sum::<usize>();
        let length = bytes + self.bytes.len() + self.file_bytes - 4;
        let length =
            i32::try_from(length).map_err(|_| EncodeError::FrameTooLarge { bytes: length })?;
        let first = self.parts.first_mut().map_or(&mut self.bytes, |(bytes, _)| bytes);
        first[..4].copy_from_slice(&length.to_be_bytes());
        let mut outbound = Outbound::default();
        for (bytes, range) in self.parts {
            outbound.push_bytes(bytes.freeze());
            outbound.push_file(range);
        }
        outbound.push_bytes(self.bytes.freeze());
        Ok(outbound)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kafka_wire_core::{ApiVersion, KafkaEncode as _};
    use mainstem_core::disk::Disk as _;
    use mainstem_log::MemoryDisk;

    use super::*;
    use crate::api::{APIS, Response};
    use crate::wire::{Head, Uuid, encode_response, make};

    fn partition(index: i32, error_code: i16, aborted: Option<usize>) -> PartitionData {
        make(|data: &mut PartitionData| {
            data.partition_index = index;
            data.error_code = error_code;
            data.high_watermark = 1 << 40;
            data.last_stable_offset = 7;
            data.log_start_offset = 3;
            data.records = Some(Bytes::new());
            data.aborted_transactions = aborted.map(|count| {
                let transaction = |producer_id| {
                    make(|transaction: &mut AbortedTransaction| {
                        transaction.producer_id = producer_id;
                        transaction.first_offset = 5;
                    })
                };
                (0..count as i64).map(transaction).collect()
            });
        })
    }

    #[test]
    fn the_bytes_are_those_of_the_codec() {
        let file = MemoryDisk::default().open("f", true).unwrap();
        file.write_all_at(0, &(0..70_000_u32).map(|i| i as u8).collect::<Vec<_>>()).unwrap();
        let range = |position, len| FileRange { file: std::sync::Arc::clone(&file), position, len };
        let mut answer = FetchAnswer::default();
        for (name, partitions) in [
            ("first", vec![partition(0, 0, None), partition(9, 3, None), partition(1, 0, Some(0))]),
            ("none", Vec::new()),
            ("last", vec![partition(0, 0, Some(200)), partition(2, 0, None)]),
        ] {
            answer.response.responses.push(make(|topic: &mut FetchableTopicResponse| {
                topic.topic = name.into();
                topic.topic_id = Uuid::from_bytes([name.len() as u8; 16]);
                topic.partitions = partitions;
            }));
        }
        answer.ranges = vec![
            (0, 0, vec![range(10, 1), range(100, 126), range(0, 16_000)]),
            (2, 0, vec![range(1, 69_000)]),
        ];
        let api = APIS.iter().find(|api| api.name == "Fetch").unwrap();
        for version in api.readable.clone() {
            let head = Head { api_key: api.key, version, correlation_id: 7, client_id: None };
            let streamed = |answer: FetchAnswer| {
                encode_response(&head, &Response::Fetch(answer)).unwrap().read().unwrap()
            };
            let mut loaded = answer.clone();
            loaded.load().unwrap();
            let mut expected = BytesMut::new();
            loaded.response.encode_into(&mut expected, ApiVersion::new(version)).unwrap();
            let header_bytes = if version >= FLEXIBLE_VERSION { 9 } else { 8 };
            let bytes = streamed(answer.clone());
            assert_eq!(bytes[header_bytes..], expected[..], "version {version}");
            let length = i32::from_be_bytes(bytes[..4].try_into().unwrap());
            assert_eq!(length as usize + 4, bytes.len());
        }
    }
}
