//! What a partition remembers of its producers: epoch, the last five batches, the open transaction; and from these the last
//! stable offset. Also the snapshot file of it.
//!
//! ```text
//! NNNNNNNNNNNNNNNNNNNN.snapshot, big endian, version 1: the state after all batches below the offset in its name
//! "MSP1" | offset i64 | producer_count u32
//!        | (id i64 | epoch i16 | coordinator_epoch i32 | last_timestamp_ms i64 | open_from i64 (-1: none)
//!           | batch_count u8 | (base_sequence i32 | base_offset i64 | last_offset_delta i32 | timestamp_ms i64)*)*
//!        | crc32c u32
//! ```
//!
//! Rules (KIP-98 and what Kafka made of it): a batch that is among the last five is answered with its first offsets; a gap is
//! refused; an older epoch is fenced; a newer epoch starts at sequence 0; an unknown producer may start anywhere; sequences wrap
//! from `i32::MAX` to 0. Invariant: a producer with an open transaction is never forgotten.

use crate::error::AppendError;
use crate::framed;
use crate::index::AbortedTransaction;
use crate::record_batch::{BatchHeader, sequence_add};
use crate::records::ControlKind;
use std::collections::{BTreeMap, VecDeque};

const MAGIC: [u8; 4] = *b"MSP1";
/// As many requests as an idempotent producer may have in flight.
const BATCHES_MAX: usize = 5;
/// Sequences closer behind than this are old, others are ahead.
const SEQUENCE_WINDOW: i64 = 1 << 30;

/// What is known of a producer (DescribeProducers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerState {
    /// Its id.
    pub producer_id: i64,
    /// Its newest epoch.
    pub producer_epoch: i16,
    /// The sequence of its last record, or -1.
    pub last_sequence: i32,
    /// When it last wrote.
    pub last_timestamp_ms: i64,
    /// The coordinator epoch of its last marker, or -1.
    pub coordinator_epoch: i32,
    /// The first offset of its open transaction.
    pub open_transaction_offset: Option<i64>,
}

/// A batch that is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BatchMeta {
    pub(crate) base_sequence: i32,
    pub(crate) base_offset: i64,
    pub(crate) last_offset_delta: i32,
    /// The append time that its producer was told, or -1.
    pub(crate) timestamp_ms: i64,
}

impl BatchMeta {
    fn last_sequence(&self) -> i32 {
        sequence_add(self.base_sequence, self.last_offset_delta)
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Producer {
    epoch: i16,
    coordinator_epoch: i32,
    last_timestamp_ms: i64,
    open_from: Option<i64>,
    /// Oldest first.
    batches: VecDeque<BatchMeta>,
}

impl Producer {
    fn new(epoch: i16) -> Self {
        Self {
            epoch,
            coordinator_epoch: -1,
            last_timestamp_ms: -1,
            open_from: None,
            batches: VecDeque::new(),
        }
    }

    fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, BatchMeta::last_sequence)
    }
}

/// A transaction that has ended, with a marker that may not be below the high watermark yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ended {
    first_offset: i64,
    marker_offset: i64,
}

/// All producers of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Producers {
    producers: BTreeMap<i64, Producer>,
    /// First offset of every open transaction, and whose it is.
    open: BTreeMap<i64, i64>,
    ended: VecDeque<Ended>,
}

impl Producers {
    /// Checks the sequence of a batch; `Some` if it was appended before.
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<Option<BatchMeta>, AppendError> {
        let producer_id = header.producer_id;
        let Some(producer) = self.producers.get(&producer_id) else { return Ok(None) };
        self.check_epoch(producer_id, header.producer_epoch)?;
        let found = header.base_sequence;
        if header.producer_epoch > producer.epoch {
            if found != 0 {
                return Err(AppendError::OutOfOrderSequence { producer_id, expected: 0, found });
            }
            return Ok(None);
        }
        let same = |batch: &&BatchMeta| {
            batch.base_sequence == found && batch.last_offset_delta == header.last_offset_delta
        };
        if let Some(batch) = producer.batches.iter().rev().find(same) {
            return Ok(Some(*batch));
        }
        let expected = sequence_add(producer.last_sequence(), 1);
        if found == expected {
            return Ok(None);
        }
        if let Some(oldest) = producer.batches.front() {
            let behind = (i64::from(oldest.base_sequence) - i64::from(header.last_sequence()))
                .rem_euclid(1 << 31);
            if behind > 0 && behind < SEQUENCE_WINDOW {
                return Err(AppendError::DuplicateSequence { producer_id, found });
            }
        }
        Err(AppendError::OutOfOrderSequence { producer_id, expected, found })
    }

    /// Refuses an epoch older than the newest.
    pub(crate) fn check_epoch(&self, producer_id: i64, epoch: i16) -> Result<(), AppendError> {
        match self.producers.get(&producer_id) {
            Some(producer) if epoch < producer.epoch => Err(AppendError::InvalidProducerEpoch {
                producer_id,
                current: producer.epoch,
                found: epoch,
            }),
            _ => Ok(()),
        }
    }

    /// Takes note of a data batch that was appended at `base_offset`.
    pub(crate) fn add_batch(
        &mut self,
        header: &BatchHeader,
        base_offset: i64,
        append_time_ms: i64,
        now_ms: i64,
    ) {
        let producer = self
            .producers
            .entry(header.producer_id)
            .or_insert_with(|| Producer::new(header.producer_epoch));
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        if header.base_sequence >= 0 {
            if producer.batches.len() == BATCHES_MAX {
                producer.batches.pop_front();
            }
            producer.batches.push_back(BatchMeta {
                base_sequence: header.base_sequence,
                base_offset,
                last_offset_delta: header.last_offset_delta,
                timestamp_ms: append_time_ms,
            });
        }
        producer.last_timestamp_ms = now_ms;
        if header.is_transactional() && producer.open_from.is_none() {
            producer.open_from = Some(base_offset);
            self.open.insert(base_offset, header.producer_id);
        }
    }

    /// Takes note of a marker at `offset`; `Some` if it aborted a transaction with records here.
    pub(crate) fn add_marker(
        &mut self,
        kind: ControlKind,
        producer_id: i64,
        epoch: i16,
        coordinator_epoch: i32,
        offset: i64,
        now_ms: i64,
    ) -> Option<AbortedTransaction> {
        let producer = self.producers.entry(producer_id).or_insert_with(|| Producer::new(epoch));
        if epoch > producer.epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        producer.coordinator_epoch = coordinator_epoch;
        producer.last_timestamp_ms = now_ms;
        let first_offset = producer.open_from.take()?;
        self.open.remove(&first_offset);
        self.ended.push_back(Ended { first_offset, marker_offset: offset });
        (kind == ControlKind::Abort).then(|| AbortedTransaction {
            producer_id,
            first_offset,
            last_offset: offset,
            last_stable_offset: self.open.first_key_value().map_or(offset + 1, |(at, _)| *at),
        })
    }

    /// The last stable offset below a high watermark: no record before it can still be taken back. A transaction counts as
    /// ended when its marker is below the high watermark.
    pub(crate) fn last_stable_offset(&self, high_watermark: i64) -> i64 {
        let open = self.first_open();
        let ending = self
            .ended
            .iter()
            .filter(|ended| ended.marker_offset >= high_watermark)
            .map(|ended| ended.first_offset)
            .min();
        open.min(ending.unwrap_or(i64::MAX)).min(high_watermark)
    }

    /// The first offset of the oldest open transaction; `i64::MAX` if there is none.
    pub(crate) fn first_open(&self) -> i64 {
        self.open.first_key_value().map_or(i64::MAX, |(at, _)| *at)
    }

    /// Forgets the ends of transactions whose markers are below the high watermark.
    pub(crate) fn forget_ended(&mut self, high_watermark: i64) {
        while self.ended.front().is_some_and(|ended| ended.marker_offset < high_watermark) {
            self.ended.pop_front();
        }
    }

    /// Forgets producers that were silent for too long; returns how many.
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) -> u32 {
        let before = self.producers.len();
        self.producers.retain(|_, producer| {
            producer.open_from.is_some()
                || now_ms.saturating_sub(producer.last_timestamp_ms) < expiration_ms
        });
        (before - self.producers.len()) as u32
    }

    /// When the next producer expires.
    pub(crate) fn next_expiry_ms(&self, expiration_ms: i64) -> i64 {
        self.producers
            .values()
            .filter(|producer| producer.open_from.is_none())
            .map(|producer| producer.last_timestamp_ms.saturating_add(expiration_ms))
            .min()
            .unwrap_or(i64::MAX)
    }

    /// The first offset of this producer's open transaction.
    pub(crate) fn open_from(&self, producer_id: i64) -> Option<i64> {
        self.producers.get(&producer_id)?.open_from
    }

    /// The offset of the last record of every producer: what compaction must keep at least as an empty batch.
    pub(crate) fn last_offsets(&self) -> BTreeMap<i64, i64> {
        let last = |producer: &Producer| producer.batches.back().map(BatchMeta::last_offset);
        self.producers.iter().filter_map(|(id, producer)| Some((*id, last(producer)?))).collect()
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = ProducerState> + '_ {
        self.producers.iter().map(|(id, producer)| ProducerState {
            producer_id: *id,
            producer_epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_timestamp_ms: producer.last_timestamp_ms,
            coordinator_epoch: producer.coordinator_epoch,
            open_transaction_offset: producer.open_from,
        })
    }

    /// The snapshot file.
    pub(crate) fn encode(&self, offset: i64) -> Vec<u8> {
        let mut out = framed::begin(MAGIC);
        out.extend_from_slice(&offset.to_be_bytes());
        out.extend_from_slice(&(self.producers.len() as u32).to_be_bytes());
        for (id, producer) in &self.producers {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(&producer.epoch.to_be_bytes());
            out.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
            out.extend_from_slice(&producer.last_timestamp_ms.to_be_bytes());
            out.extend_from_slice(&producer.open_from.unwrap_or(-1).to_be_bytes());
            out.push(producer.batches.len() as u8);
            for batch in &producer.batches {
                out.extend_from_slice(&batch.base_sequence.to_be_bytes());
                out.extend_from_slice(&batch.base_offset.to_be_bytes());
                out.extend_from_slice(&batch.last_offset_delta.to_be_bytes());
                out.extend_from_slice(&batch.timestamp_ms.to_be_bytes());
            }
        }
        framed::seal(out)
    }

    /// Reads the snapshot at `offset`; `None` if it is damaged or another's.
    pub(crate) fn decode(offset: i64, file: &[u8]) -> Option<Self> {
        let mut fields = framed::open(MAGIC, file)?;
        (fields.i64()? == offset).then_some(())?;
        let mut all = Self::default();
        for _ in 0..fields.count(31)? {
            let id = fields.i64()?;
            let mut producer = Producer::new(fields.i16()?);
            producer.coordinator_epoch = fields.i32()?;
            producer.last_timestamp_ms = fields.i64()?;
            producer.open_from = Some(fields.i64()?).filter(|at| *at >= 0);
            for _ in 0..fields.u8()? {
                producer.batches.push_back(BatchMeta {
                    base_sequence: fields.i32()?,
                    base_offset: fields.i64()?,
                    last_offset_delta: fields.i32()?,
                    timestamp_ms: fields.i64()?,
                });
            }
            if let Some(at) = producer.open_from {
                all.open.insert(at, id);
            }
            all.producers.insert(id, producer);
        }
        fields.end()?;
        Some(all)
    }
}
