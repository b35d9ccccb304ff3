//! What the tests of generators share: tables, requests, and the check that cuts do not change rows.
//! Not compiled outside tests.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_select::concat::concat;
use mainstem_core::clock::ManualClock;
use mainstem_core::ingest::{Decode, Decoded, Payload, RowRange};
use mainstem_core::table::{Column, TableSpec};
use mainstem_core::{DataType, Result, TypeKind};

use crate::api::{Connector, Environment, Observer, SourceRequest};

/// 2026-01-02T03:04:05.678Z.
pub(crate) const NOW_MS: i64 = 1_767_323_045_678;

#[derive(Debug)]
struct Silent;

impl Observer for Silent {
    fn notice(&self, _table: &str, _text: &str) {}
}

pub(crate) fn timestamp() -> DataType {
    TypeKind::Timestamp { precision: 3 }.nullable()
}

pub(crate) fn request(columns: &[(&str, DataType)], options: &[(&str, &str)]) -> SourceRequest {
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, data_type)| Column {
            name: (*name).to_owned(),
            data_type: data_type.clone(),
            metadata_key: None,
        })
        .collect();
    SourceRequest {
        projection: (0..columns.len()).collect(),
        table: TableSpec {
            name: "t".to_owned(),
            columns,
            options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..TableSpec::default()
        },
        filters: vec![],
        parallelism: 1,
        environment: Environment {
            clock: Arc::new(ManualClock::new(NOW_MS)),
            observer: Arc::new(Silent),
            base_dir: PathBuf::from("."),
            time_zone: "UTC".to_owned(),
            files: Arc::new(crate::filesystem::files::LocalFiles),
            embedded: None,
        },
    }
}

/// All columns of the rows in `range`.
pub(crate) fn columns(
    connector: &dyn Connector,
    columns: &[(&str, DataType)],
    options: &[(&str, &str)],
    range: Range<u64>,
) -> Result<Vec<ArrayRef>> {
    let decoder = connector.source(request(columns, options))?.decoder()?;
    try_decode(decoder, &[(range.start, (range.end - range.start) as u32)])
}

/// The rows of the ranges, one after the other.
pub(crate) fn decode(decoder: Box<dyn Decode>, ranges: &[(u64, u32)]) -> Vec<ArrayRef> {
    try_decode(decoder, ranges).unwrap()
}

fn try_decode(mut decoder: Box<dyn Decode>, ranges: &[(u64, u32)]) -> Result<Vec<ArrayRef>> {
    let mut out = Decoded::default();
    for &(first, count) in ranges {
        let range = RowRange { first, count, at_ms: NOW_MS };
        decoder.decode(Payload::Rows(range), NOW_MS, &mut out)?;
    }
    let count = out.batches.first().map_or(0, |b| b.columns().len());
    let column = |i: usize| {
        let parts: Vec<&dyn Array> = out.batches.iter().map(|b| b.column(i).as_ref()).collect();
        concat(&parts).unwrap()
    };
    Ok((0..count).map(column).collect())
}

/// Rows 0..1000 are the same in one range, in many, and by several decoders.
pub(crate) fn assert_cuts_do_not_matter(
    connector: &dyn Connector,
    columns: &[(&str, DataType)],
    options: &[(&str, &str)],
) {
    let source = connector.source(request(columns, options)).unwrap();
    let whole = decode(source.decoder().unwrap(), &[(0, 1000)]);
    let cuts = [(0, 1), (1, 7), (8, 500), (508, 492)];
    assert_eq!(whole, decode(source.decoder().unwrap(), &cuts));
    let tail = decode(source.decoder().unwrap(), &[(508, 492)]);
    for (whole, tail) in whole.iter().zip(&tail) {
        assert_eq!(&whole.slice(whole.len() - tail.len(), tail.len()), tail);
    }
}
