//! What stands between payloads and every format: pieces of files are read here, and records that are longer than the
//! table allows meet the policy for bad records.
//! Invariant: the decoder inside never sees [`Payload::Unread`] nor [`Payload::Oversized`], so no format reads files
//! and none can take a cut record for a whole one. Readers cut (they know the limit); nothing is cut here.

use mainstem_core::Result;
use mainstem_core::ingest::{Decode, Decoded, Oversized, Payload};

use super::BadRecords;
use super::bad_record::{RecordError, refuse};
use super::unread::BlockReader;

/// A decoder that keeps files and oversized records from the one inside.
pub(super) struct Bounded {
    pub(super) inner: Box<dyn Decode>,
    pub(super) policy: BadRecords,
    pub(super) blocks: BlockReader,
}

impl Decode for Bounded {
    fn decode(&mut self, payload: Payload, now_ms: i64, out: &mut Decoded) -> Result<()> {
        let Self { inner, policy, blocks } = self;
        let mut read = |payload: Payload| match payload {
            Payload::Oversized(record) => refuse_oversized(*policy, &record, out),
            payload => inner.decode(payload, now_ms, out),
        };
        match payload {
            Payload::Unread(unread) => blocks.read(&unread, read),
            payload => read(payload),
        }
    }
}

fn refuse_oversized(policy: BadRecords, record: &Oversized, out: &mut Decoded) -> Result<()> {
    out.records += 1;
    let place = || match record.line.get() {
        None => record.path.to_string(),
        Some(line) => format!("{}, line {line}", record.path),
    };
    let reason = format!(
        "the record has {} bytes, more than 'mainstem.record-bytes-max' = {} allows",
        record.size_bytes, record.limit_bytes
    );
    refuse(policy, &record.head, place, RecordError::new(0, reason), out)
}
