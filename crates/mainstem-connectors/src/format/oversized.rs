//! Records that are longer than the table allows: the policy for bad records is applied here, for every format.
//! Invariant: the decoder inside never sees [`Payload::Oversized`], so no format can take a cut record for a whole
//! one. Readers cut (they know the limit); nothing is cut here.

use mainstem_core::Result;
use mainstem_core::ingest::{Decode, Decoded, Oversized, Payload};

use super::BadRecords;
use super::bad_record::{RecordError, refuse};

/// A decoder that keeps oversized records from the one inside.
pub(super) struct Bounded {
    pub(super) inner: Box<dyn Decode>,
    pub(super) policy: BadRecords,
}

impl Decode for Bounded {
    fn decode(&mut self, payload: Payload, now_ms: i64, out: &mut Decoded) -> Result<()> {
        match payload {
            Payload::Oversized(record) => self.refuse(&record, out),
            payload => self.inner.decode(payload, now_ms, out),
        }
    }
}

impl Bounded {
    fn refuse(&self, record: &Oversized, out: &mut Decoded) -> Result<()> {
        out.records += 1;
        let place = || match record.line {
            0 => record.path.to_string(),
            line => format!("{}, line {line}", record.path),
        };
        let reason = format!(
            "the record has {} bytes, more than 'mainstem.record-bytes-max' = {} allows",
            record.size_bytes, record.limit_bytes
        );
        refuse(self.policy, &record.head, place, RecordError::new(0, reason), out)
    }
}
