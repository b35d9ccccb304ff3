//! Gathers records of one partition into a [`Messages`] payload: one buffer, a few vectors.
//! Invariant: only what the table needs is copied (keys, timestamps and headers only on demand); a payload has one
//! timestamp type.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::ingest::{Header, Messages};
use rdkafka::message::{BorrowedMessage, Headers, Message, Timestamp};

use super::pump::{BYTES_MAX, ROWS_MAX};

/// Which parts of records the table needs besides their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    pub(crate) keys: bool,
    pub(crate) timestamps: bool,
    pub(crate) headers: bool,
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
    pub(crate) fn push(&mut self, message: &BorrowedMessage<'_>) -> bool {
        if self.wanted.timestamps {
            self.push_timestamp(message.timestamp());
        }
        if self.messages.values.is_empty() {
            self.begin();
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

    fn begin(&mut self) {
        let (rows, bytes) = self.expected;
        self.data.reserve(bytes);
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

    fn push_timestamp(&mut self, timestamp: Timestamp) {
        let (kind, ms) = match timestamp {
            Timestamp::NotAvailable => ("NoTimestampType", -1),
            Timestamp::CreateTime(ms) => ("CreateTime", ms),
            Timestamp::LogAppendTime(ms) => ("LogAppendTime", ms),
        };
        if !self.messages.timestamps_ms.is_empty() && self.messages.timestamp_type != kind {
            self.ready = self.take();
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
    pub(crate) fn finish(&mut self) -> Option<(Messages, i64)> {
        self.ready.take().or_else(|| self.take())
    }

    fn take(&mut self) -> Option<(Messages, i64)> {
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
        messages.data = Bytes::from(std::mem::take(&mut self.data));
        Some((messages, self.next))
    }
}
