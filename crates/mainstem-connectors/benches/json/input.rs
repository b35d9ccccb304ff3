//! What the JSON benchmark reads: two kinds of records as text, their tables, and the text cut into payloads.
//! Invariant: every run sees the same bytes. Does not measure.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use mainstem_core::TypeKind;
use mainstem_core::ingest::{LineNumber, Lines, Messages, Payload};
use mainstem_core::table::{Column, TableSpec};

const PAYLOAD_BYTES: usize = 1 << 20;

/// A small generator, so that every run sees the same bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }
}

/// Payments with two UUIDs, one every millisecond; three of four are paid.
pub(crate) fn transactions(count: usize) -> String {
    let mut random = Random(42);
    let users: Vec<String> = (0..10).map(|_| random.uuid()).collect();
    let mut text = String::new();
    for i in 0..count {
        let (user, status) = (random.below(10) as usize, random.below(4));
        let status = if status == 0 { "Refused" } else { "Paid" };
        let (seconds, ms) = (i / 1000, i % 1000);
        writeln!(
            text,
            "{{\"event_timestamp\":\"2024-01-01 {:02}:{:02}:{:02}.{ms:03}\",\"user_id\":\"{}\",\"transaction_id\":\"{}\",\"total_paid\":{}.{:02},\"status\":\"{status}\"}}",
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            users[user],
            random.uuid(),
            random.below(1000),
            random.below(100),
        )
        .unwrap();
    }
    text
}

pub(crate) const TRANSACTION: &[(&str, TypeKind)] = &[
    ("event_timestamp", TypeKind::Timestamp { precision: 3 }),
    ("user_id", TypeKind::STRING),
    ("transaction_id", TypeKind::STRING),
    ("total_paid", TypeKind::Double),
    ("status", TypeKind::STRING),
];

/// Wide events: 20 fields, about 408 bytes.
pub(crate) fn events(count: usize) -> String {
    let mut random = Random(7);
    let words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf"];
    let mut text = String::new();
    for i in 0..count {
        text.push('{');
        for field in 0..20 {
            let comma = if field == 0 { "" } else { "," };
            let word = words[random.below(7) as usize];
            match field % 5 {
                0 => write!(text, "{comma}\"count_{field}\":{}", random.below(1_000_000)),
                1 => write!(
                    text,
                    "{comma}\"price_{field}\":{}.{:02}",
                    random.below(500),
                    random.below(100)
                ),
                2 => write!(text, "{comma}\"name_{field}\":\"{word} {word}\""),
                3 => write!(text, "{comma}\"flag_{field}\":{}", random.below(2) == 0),
                _ => write!(
                    text,
                    "{comma}\"at_{field}\":\"2024-01-01 10:{:02}:{:02}.{:03}\"",
                    i / 60_000 % 60,
                    i / 1000 % 60,
                    i % 1000
                ),
            }
            .unwrap();
        }
        text.push_str("}\n");
    }
    text
}

pub(crate) fn event_columns() -> Vec<(String, TypeKind)> {
    (0..20)
        .map(|field| match field % 5 {
            0 => (format!("count_{field}"), TypeKind::BigInt),
            1 => (format!("price_{field}"), TypeKind::Double),
            2 => (format!("name_{field}"), TypeKind::STRING),
            3 => (format!("flag_{field}"), TypeKind::Boolean),
            _ => (format!("at_{field}"), TypeKind::Timestamp { precision: 3 }),
        })
        .collect()
}

pub(crate) fn table<'a>(columns: impl IntoIterator<Item = (&'a str, TypeKind)>) -> Arc<TableSpec> {
    let column = |(name, kind): (&str, TypeKind)| Column {
        name: name.to_owned(),
        data_type: kind.nullable(),
        metadata_key: None,
    };
    let columns = columns.into_iter().map(column).collect();
    Arc::new(TableSpec { name: "bench".into(), columns, ..TableSpec::default() })
}

/// The text cut into payloads at line ends.
pub(crate) fn payloads(text: &str) -> Vec<Payload> {
    let data = Bytes::copy_from_slice(text.as_bytes());
    let mut payloads = Vec::new();
    let mut start = 0;
    while start < data.len() {
        let limit = data.len().min(start + PAYLOAD_BYTES);
        let end = data[start..limit].iter().rposition(|b| *b == b'\n').unwrap() + start + 1;
        let data = data.slice(start..end);
        payloads.push(Payload::Lines(Lines {
            data,
            path: "bench".into(),
            first_line: LineNumber::Unknown,
        }));
        start = end;
    }
    payloads
}

/// The same as records of a log.
pub(crate) fn as_messages(payload: &Payload) -> Payload {
    let Payload::Lines(lines) = payload else { panic!("lines were expected") };
    let mut values = Vec::new();
    let mut start = 0;
    for (end, _) in lines.data.iter().enumerate().filter(|(_, b)| **b == b'\n') {
        values.push(Some(start as u32..end as u32));
        start = end + 1;
    }
    let data = lines.data.clone();
    Payload::Messages(Messages { data, values, ..Messages::default() })
}
