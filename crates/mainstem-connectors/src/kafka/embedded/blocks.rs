//! Fetched record batches to payloads.
//! Invariant: keys, values and headers stay where the fetch has put them: a payload's ranges point into the one buffer that
//! came from the log. A compressed batch has a buffer of its own. A payload has one timestamp type. Markers and records of
//! aborted transactions are left out; the next offset passes over them and over what compaction took away.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::ingest::{Header, Messages};
use mainstem_core::{Error, ErrorKind, Result};
use mainstem_log::{BatchError, Compression, Record, RecordBatch, RecordLimits, TimestampType};

use super::super::gather::Wanted;

/// Cuts the blocks of one partition into payloads.
#[derive(Debug)]
pub(super) struct Blocks {
    topic: Arc<str>,
    partition: i32,
    wanted: Wanted,
    /// The first offset that is wanted next.
    next: i64,
    /// The first offset that is not wanted any more.
    end: i64,
    /// Producers whose transaction, where we are in the log, will be aborted.
    aborting: BTreeSet<i64>,
}

/// A payload, and the offset after it.
pub(super) type Cut = (Messages, i64);

impl Blocks {
    pub(super) fn new(
        topic: Arc<str>,
        partition: i32,
        wanted: Wanted,
        start: i64,
        end: Option<i64>,
    ) -> Self {
        let end = end.unwrap_or(i64::MAX);
        Self { topic, partition, wanted, next: start, end, aborting: BTreeSet::new() }
    }

    pub(super) fn next_offset(&self) -> i64 {
        self.next
    }

    /// Whether everything that is wanted was read.
    pub(super) fn is_over(&self) -> bool {
        self.next >= self.end
    }

    /// Takes a block and the aborted transactions in it.
    pub(super) fn cut(&mut self, block: Bytes, aborted: &[(i64, i64)]) -> Result<Vec<Cut>> {
        let mut cuts = Vec::new();
        let mut open = self.open(&block);
        let mut rest = block.clone();
        let mut aborted: Vec<(i64, i64)> = aborted.to_vec();
        aborted.sort_unstable_by_key(|(_, first)| *first);
        let mut aborted = aborted.into_iter().peekable();
        while let Some(batch) = RecordBatch::parse_next(&mut rest) {
            if self.is_over() {
                break;
            }
            let batch = batch.map_err(|e| self.damaged(&e))?;
            let header = batch.header();
            while let Some((producer, _)) =
                aborted.next_if(|(_, first)| *first <= header.last_offset())
            {
                self.aborting.insert(producer);
            }
            let last = header.last_offset();
            if header.is_control() {
                self.aborting.remove(&header.producer_id);
            } else if last >= self.next
                && !(header.is_transactional() && self.aborting.contains(&header.producer_id))
            {
                let kind = timestamp_type(header.timestamp_type());
                let packed = header.compression != Compression::None;
                let other = !open.messages.is_empty() && open.messages.timestamp_type != kind;
                if packed || other {
                    cuts.extend(open.close(self.next));
                    open = self.open(&block);
                }
                open.messages.timestamp_type = kind;
                let records =
                    batch.records(RecordLimits::default()).map_err(|e| self.damaged(&e))?;
                if packed {
                    open = self.open(records.bytes());
                    open.messages.timestamp_type = kind;
                }
                for record in &records {
                    let record = record.map_err(|e| self.damaged(&e))?;
                    if (self.next..self.end).contains(&record.offset) {
                        open.push(&record, self.wanted)?;
                    }
                }
                if packed {
                    cuts.extend(open.close((last + 1).min(self.end)));
                    open = self.open(&block);
                }
            }
            self.next = self.next.max(last + 1);
        }
        cuts.extend(open.close(self.next.min(self.end)));
        Ok(cuts)
    }

    fn open(&self, data: &Bytes) -> Open {
        let messages = Messages {
            data: data.clone(),
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            ..Messages::default()
        };
        Open { messages }
    }

    fn damaged(&self, error: &BatchError) -> Error {
        let (topic, partition) = (&self.topic, self.partition);
        let text = format!("topic '{topic}', partition {partition}: {error}");
        Error::new(ErrorKind::Corrupt, text)
            .with_detail(format!("the batch is the one at or after offset {}", self.next))
    }
}

fn timestamp_type(kind: TimestampType) -> &'static str {
    match kind {
        TimestampType::Create => "CreateTime",
        TimestampType::LogAppend => "LogAppendTime",
    }
}

/// The payload under way.
struct Open {
    messages: Messages,
}

impl Open {
    fn push(&mut self, record: &Record<'_>, wanted: Wanted) -> Result<()> {
        let base = self.messages.data.as_ptr() as usize;
        let size = self.messages.data.len();
        let place = |part: &[u8]| -> Result<Range<u32>> {
            let start = (part.as_ptr() as usize).wrapping_sub(base);
            match (u32::try_from(start), u32::try_from(start.wrapping_add(part.len()))) {
                // An empty part may point anywhere.
                _ if part.is_empty() => Ok(0..0),
                (Ok(start), Ok(end)) if end as usize <= size && start <= end => Ok(start..end),
                _ => Err(Error::internal("a record lies outside of its block")),
            }
        };
        let messages = &mut self.messages;
        let value = record.value.map(place).transpose()?;
        messages.values.push(value);
        messages.offsets.push(record.offset);
        if wanted.keys {
            messages.keys.push(record.key.map(place).transpose()?);
        }
        if wanted.timestamps {
            messages.timestamps_ms.push(record.timestamp_ms);
        }
        if wanted.headers {
            let mut headers = Vec::new();
            for header in record.headers {
                let header = header.map_err(|e| Error::new(ErrorKind::Corrupt, e.to_string()))?;
                let name = String::from_utf8_lossy(header.key);
                let value = header.value.map(place).transpose()?;
                headers.push(Header { name: Arc::from(&*name), value });
            }
            messages.headers.push(headers);
        }
        Ok(())
    }

    fn close(&mut self, next: i64) -> Option<Cut> {
        let messages = std::mem::take(&mut self.messages);
        (!messages.is_empty()).then_some((messages, next))
    }
}

#[cfg(test)]
mod tests {
    use mainstem_log::{BatchBuilder, control_batch};

    use super::*;

    const ALL: Wanted = Wanted { keys: true, timestamps: true, headers: true };

    /// A batch at its place in the log; each record is its own offset, as text.
    fn batch(base: i64, count: i64, mut builder: BatchBuilder) -> Vec<u8> {
        for offset in base..base + count {
            let value = offset.to_string();
            let headers: [(&str, Option<&[u8]>); 2] = [("h", Some(b"x")), ("h", None)];
            builder.push(1_000 + offset, Some(b"k"), Some(value.as_bytes()), &headers);
        }
        at(base, builder.finish().unwrap())
    }

    fn at(base: i64, batch: RecordBatch) -> Vec<u8> {
        let mut bytes = batch.into_bytes().to_vec();
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes
    }

    fn plain(base: i64, count: i64) -> Vec<u8> {
        batch(base, count, BatchBuilder::new(Compression::None))
    }

    fn blocks(start: i64, end: Option<i64>) -> Blocks {
        Blocks::new("t".into(), 3, ALL, start, end)
    }

    /// The offsets of each payload, after a check that values are those of their offsets.
    fn offsets(cuts: &[Cut]) -> Vec<Vec<i64>> {
        for (messages, _) in cuts {
            for (index, offset) in messages.offsets.iter().enumerate() {
                assert_eq!(messages.value(index).unwrap(), offset.to_string().as_bytes());
                assert_eq!(messages.key(index), Some(&b"k"[..]));
                assert_eq!(messages.timestamps_ms[index], 1_000 + offset);
                let headers = &messages.headers[index];
                assert_eq!((headers.len(), headers[1].value.is_none()), (2, true));
            }
        }
        cuts.iter().map(|(messages, _)| messages.offsets.clone()).collect()
    }

    #[test]
    fn batches_of_a_block_share_its_buffer() {
        let block = Bytes::from([plain(10, 3), plain(13, 2)].concat());
        let mut blocks = blocks(10, None);
        let cuts = blocks.cut(block.clone(), &[]).unwrap();
        assert_eq!(offsets(&cuts), [vec![10, 11, 12, 13, 14]]);
        assert_eq!(cuts[0].0.data.as_ptr(), block.as_ptr());
        assert_eq!((cuts[0].1, blocks.next_offset()), (15, 15));
    }

    #[test]
    fn start_end_and_a_cut_tail() {
        let mut bytes = [plain(10, 4), plain(14, 4), plain(18, 4)].concat();
        let mut all = blocks(12, Some(17));
        let cuts = all.cut(bytes.clone().into(), &[]).unwrap();
        assert_eq!(offsets(&cuts), [vec![12, 13, 14, 15, 16]]);
        assert!(all.is_over());
        assert_eq!(cuts[0].1, 17);
        bytes.truncate(bytes.len() - 1);
        let mut cut = blocks(10, None);
        assert_eq!(offsets(&cut.cut(bytes.into(), &[]).unwrap()).concat().len(), 8);
        assert_eq!(cut.next_offset(), 18);
    }

    #[test]
    fn compressed_batches_have_payloads_of_their_own() {
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let packed = batch(12, 3, BatchBuilder::new(codec));
            let block = [plain(10, 2), packed, plain(15, 1)].concat();
            let mut blocks = blocks(10, None);
            let cuts = blocks.cut(block.into(), &[]).unwrap();
            assert_eq!(offsets(&cuts), [vec![10, 11], vec![12, 13, 14], vec![15]]);
            let next: Vec<i64> = cuts.iter().map(|(_, next)| *next).collect();
            assert_eq!(next, [12, 15, 16], "a position is after its own payload");
        }
    }

    #[test]
    fn aborted_records_and_markers_are_left_out() {
        let of = |producer| {
            BatchBuilder::new(Compression::None).with_producer(producer, 0, 0).transactional()
        };
        let marker = |base, commit, producer| at(base, control_batch(commit, producer, 0, 0, 0));
        let block = [
            batch(0, 2, of(7)),
            batch(2, 2, of(8)),
            marker(4, false, 7),
            batch(5, 1, of(7)),
            marker(6, true, 8),
            marker(7, true, 7),
        ];
        let mut blocks = blocks(0, None);
        let cuts = blocks.cut(block.concat().into(), &[(7, 0)]).unwrap();
        assert_eq!(offsets(&cuts), [vec![2, 3, 5]]);
        assert_eq!(blocks.next_offset(), 8);
    }

    #[test]
    fn damage_is_an_error() {
        let mut bytes = plain(0, 3);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(blocks(0, None).cut(bytes.into(), &[]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
