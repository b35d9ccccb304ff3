//! Gathers records of one partition into a [`Messages`] payload: one buffer, a few vectors.
//! Invariant: only what the table needs is copied (keys, timestamps and headers only on demand); a payload has one
//! timestamp type. Buffers whose payload is gone are filled again ([`Spares`]): fresh memory for a megabyte costs more than
//! copying the records into it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::ingest::{Header, Messages};
use rdkafka::message::{BorrowedMessage, Headers, Message, Timestamp};

use super::pump::{BYTES_MAX, PAYLOADS_AHEAD, ROWS_MAX};

/// Which parts of records the table needs besides their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    pub(crate) keys: bool,
    pub(crate) timestamps: bool,
    pub(crate) headers: bool,
}

/// Buffers that were handed out by one pump, at most [`SPARES_MAX`] of them, taken back when nobody holds them any more.
#[derive(Debug, Default)]
pub(crate) struct Spares(Vec<Bytes>);

/// As many as one busy partition has under way.
const SPARES_MAX: usize = PAYLOADS_AHEAD + 2;

impl Spares {
    /// An empty buffer, an old one if there is one with that much room.
    fn take(&mut self, room: usize) -> Vec<u8> {
        // A handle is one byte long, so that making a vector of it moves that byte only.
        while let Some(free) = self.0.iter().position(Bytes::is_unique) {
            let mut data = Vec::from(self.0.swap_remove(free));
            data.clear();
            if data.capacity() >= room {
                return data;
            }
        }
        Vec::with_capacity(room)
    }

    fn hand_out(&mut self, data: Vec<u8>) -> Bytes {
        // Not one that a single huge record has blown up.
        let useful = !data.is_empty() && data.capacity() <= 4 * BYTES_MAX;
        let data = Bytes::from(data);
        if useful && self.0.len() < SPARES_MAX {
            let mut handle = data.clone();
            handle.truncate(1);
            self.0.push(handle);
        }
        data
    }
}

/// The payload under way.
pub(crate) struct Gather {
    topic: Arc<str>,
    partition: i32,
    wanted: Wanted,
    data: Vec<u8>,
    messages: Messages,
    /// Buffers are asked for in the size that the last payload had.
    expected: (usize, usize),
    /// A payload that ended because the next record has another timestamp type, and the offset after it.
    ready: Option<(Messages, i64)>,
    next: i64,
}

impl Gather {
    pub(crate) fn new(topic: Arc<str>, partition: i32, wanted: Wanted) -> Self {
        let messages = Messages { topic: Arc::clone(&topic), partition, ..Messages::default() };
        Self {
            topic,
            partition,
            wanted,
            data: Vec::new(),
            messages,
            expected: (0, 0),
            ready: None,
            next: 0,
        }
    }

    /// Whether another record may be offered.
    pub(crate) fn has_room(&self) -> bool {
        self.ready.is_none() && self.messages.values.len() < ROWS_MAX && self.data.len() < BYTES_MAX
    }

    /// Takes a record; false if the payload is full now. Every offered record is taken.
    pub(crate) fn push(&mut self, message: &BorrowedMessage<'_>, spares: &mut Spares) -> bool {
        if self.wanted.timestamps {
            self.push_timestamp(message.timestamp(), spares);
        }
        if self.messages.values.is_empty() {
            self.begin(spares);
        }
        self.next = message.offset() + 1;
        self.messages.offsets.push(message.offset());
        let value = message.payload().map(|v| self.copy(v));
        self.messages.values.push(value);
        if self.wanted.keys {
            let key = message.key().map(|k| self.copy(k));
            self.messages.keys.push(key);
        }
        if self.wanted.headers {
            let headers = self.copy_headers(message);
            self.messages.headers.push(headers);
        }
        self.has_room()
    }

    fn begin(&mut self, spares: &mut Spares) {
        let (rows, bytes) = self.expected;
        self.data = spares.take(bytes);
        self.messages.values.reserve(rows);
        self.messages.offsets.reserve(rows);
        if self.wanted.keys {
            self.messages.keys.reserve(rows);
        }
    }

    #[inline]
    fn copy(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        start..self.data.len() as u32
    }

    fn push_timestamp(&mut self, timestamp: Timestamp, spares: &mut Spares) {
        let (kind, ms) = match timestamp {
            Timestamp::NotAvailable => ("NoTimestampType", -1),
            Timestamp::CreateTime(ms) => ("CreateTime", ms),
            Timestamp::LogAppendTime(ms) => ("LogAppendTime", ms),
        };
        if !self.messages.timestamps_ms.is_empty() && self.messages.timestamp_type != kind {
            self.ready = self.take(spares);
        }
        self.messages.timestamp_type = kind;
        self.messages.timestamps_ms.push(ms);
    }

    fn copy_headers(&mut self, message: &BorrowedMessage<'_>) -> Vec<Header> {
        let Some(headers) = message.headers() else { return Vec::new() };
        headers
            .iter()
            .map(|h| Header { name: Arc::from(h.key), value: h.value.map(|v| self.copy(v)) })
            .collect()
    }

    /// The payload and the offset after it; `None` if nothing was taken.
    pub(crate) fn finish(&mut self, spares: &mut Spares) -> Option<(Messages, i64)> {
        self.ready.take().or_else(|| self.take(spares))
    }

    fn take(&mut self, spares: &mut Spares) -> Option<(Messages, i64)> {
        if self.messages.values.is_empty() {
            return None;
        }
        let fresh = Messages {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            ..Messages::default()
        };
        let mut messages = std::mem::replace(&mut self.messages, fresh);
        self.expected = (messages.values.len(), self.data.len());
        messages.data = spares.hand_out(std::mem::take(&mut self.data));
        Some((messages, self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_when_nobody_holds_them() {
        let mut spares = Spares::default();
        let filled = |spares: &mut Spares| {
            let mut data = spares.take(4096);
            data.extend_from_slice(b"record");
            let place = data.as_ptr();
            (spares.hand_out(data), place)
        };
        let (held, place) = filled(&mut spares);
        let (other, other_place) = filled(&mut spares);
        assert_ne!(place, other_place);
        drop(other);
        let (again, again_place) = filled(&mut spares);
        assert_eq!(again_place, other_place);
        assert_eq!((&held[..], &again[..]), (&b"record"[..], &b"record"[..]));
    }

    #[test]
    fn spares_are_few_and_of_use() {
        let mut spares = Spares::default();
        let held: Vec<Bytes> = (0..20).map(|_| spares.hand_out(vec![1; 10])).collect();
        assert_eq!(spares.0.len(), SPARES_MAX);
        drop(held);
        assert!(spares.take(1 << 10).capacity() >= 1 << 10);
        assert!(spares.0.is_empty(), "too small for what is asked for now");
        spares.hand_out(Vec::new());
        spares.hand_out(vec![0; 5 * BYTES_MAX]);
        assert!(spares.0.is_empty());
    }
}
