//! Encodes rows as records: the value by one format, the key by another, timestamp and headers from metadata columns.
//! Invariant: one record a row, in the order of the rows; in an upsert table a row of weight -1 becomes a record
//! without a value. Formats see their side of the table only.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, UInt32Array};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use chrono_tz::Tz;
use mainstem_core::egress::{ChangelogMode, Encode, Encoded};
use mainstem_core::ingest::{Header, Messages};
use mainstem_core::table::TableSpec;
use mainstem_core::{Batch, Error, ErrorKind, Result};

use super::columns::{Layout, SideTable};
use crate::api::SinkRequest;
use crate::format::{self, EncodeRequest};
use crate::local_time::instant_of_local_us;

/// One worker's encoder.
pub(crate) struct RecordEncode {
    value: Side,
    key: Option<Side>,
    timestamp: Option<usize>,
    headers: Option<usize>,
    upsert: bool,
    time_zone: Tz,
}

struct Side {
    encoder: Box<dyn Encode>,
    columns: Vec<usize>,
}

impl Side {
    fn new(
        format: &str,
        table: &SideTable,
        values: usize,
        changelog: ChangelogMode,
        time_zone: &str,
    ) -> Result<Self> {
        let request = EncodeRequest {
            table: Arc::new(table.table.clone()),
            value_columns: (0..values).collect(),
            key_columns: Vec::new(),
            changelog,
            stream: false,
            time_zone: time_zone.to_owned(),
        };
        let columns = table.origin.iter().flatten().copied().collect();
        Ok(Self { encoder: format::encoder(format, request)?, columns })
    }

    fn encode(&mut self, batch: &Batch, with_weights: bool) -> Result<Messages> {
        let mut own = batch.project(&self.columns);
        if !with_weights {
            own = Batch::new(own.columns().to_vec(), batch.rows());
        }
        match self.encoder.encode(&own)? {
            Encoded::Messages(messages) => Ok(messages),
            _ => Err(Error::internal("a format did not make records as asked")),
        }
    }
}

impl RecordEncode {
    pub(crate) fn new(request: &SinkRequest, layout: &Layout, upsert: bool) -> Result<Self> {
        let table = &request.table;
        let time_zone = &request.environment.time_zone;
        let value_table = layout.value_table(table, false);
        let changelog = if upsert { ChangelogMode::AppendOnly } else { request.changelog.clone() };
        let values = layout.value.len();
        let value = Side::new(&layout.value_format, &value_table, values, changelog, time_zone)?;
        let key = match &layout.key_format {
            None => None,
            Some(format) => {
                let key_table = layout.key_table(table, false, false);
                let mode = ChangelogMode::AppendOnly;
                Some(Side::new(format, &key_table, layout.key.len(), mode, time_zone)?)
            }
        };
        Ok(Self {
            value,
            key,
            timestamp: writable(table, "timestamp"),
            headers: writable(table, "headers"),
            upsert,
            time_zone: time_zone
                .parse()
                .map_err(|_| Error::user(format!("'{time_zone}' is no time zone")))?,
        })
    }
}

impl Encode for RecordEncode {
    fn encode(&mut self, batch: &Batch) -> Result<Encoded> {
        if self.key.is_none() && self.timestamp.is_none() && self.headers.is_none() {
            return Ok(Encoded::Messages(self.value.encode(batch, true)?));
        }
        let batch = &one_row_a_record(batch)?;
        let mut messages = self.value.encode(batch, !self.upsert)?;
        if messages.len() != batch.rows() {
            return Err(Error::internal("a format did not make one record a row"));
        }
        if self.upsert {
            for (row, value) in messages.values.iter_mut().enumerate() {
                if batch.weight(row) < 0 {
                    *value = None;
                }
            }
        }
        if let Some(key) = &mut self.key {
            let keys = key.encode(batch, false)?;
            attach_keys(&mut messages, keys)?;
        }
        if let Some(column) = self.timestamp {
            messages.timestamps_ms = timestamps(batch, column, self.time_zone)?;
        }
        if let Some(column) = self.headers {
            attach_headers(&mut messages, batch, column)?;
        }
        Ok(Encoded::Messages(messages))
    }
}

/// A row of weight +3 is three records.
fn one_row_a_record(batch: &Batch) -> Result<Batch> {
    let Some(weights) = batch.weights().filter(|w| w.iter().any(|w| w.abs() != 1)) else {
        return Ok(batch.clone());
    };
    let indices: UInt32Array = weights
        .iter()
        .enumerate()
        .flat_map(|(row, w)| std::iter::repeat_n(row as u32, w.unsigned_abs() as usize))
        .map(Some)
        .collect();
    let taken = batch.take(&indices)?;
    let signs = indices.values().iter().map(|&i| weights[i as usize].signum()).collect();
    Ok(Batch::with_weights(taken.columns().to_vec(), taken.rows(), Some(signs)))
}

fn attach_keys(messages: &mut Messages, keys: Messages) -> Result<()> {
    if keys.len() != messages.len() {
        return Err(Error::internal("a format did not make one key a row"));
    }
    let mut data = Vec::from(std::mem::take(&mut messages.data));
    let base = data.len();
    data.extend_from_slice(&keys.data);
    if u32::try_from(data.len()).is_err() {
        return Err(Error::new(ErrorKind::Exhausted, "one step's output is larger than 4 GiB"));
    }
    let moved = |r: &Range<u32>| r.start + base as u32..r.end + base as u32;
    messages.keys = keys.values.iter().map(|r| r.as_ref().map(moved)).collect();
    messages.data = data.into();
    Ok(())
}

/// In ms since 1970; 0 for NULL lets the client take its own time, as Flink does.
fn timestamps(batch: &Batch, column: usize, zone: Tz) -> Result<Vec<i64>> {
    let array = batch.column(column);
    let wrong =
        || Error::user("a 'timestamp' column must be of type TIMESTAMP_LTZ(3) or TIMESTAMP(3)");
    let ArrowType::Timestamp(unit, instant) = array.data_type() else { return Err(wrong()) };
    let units_a_ms = match unit {
        TimeUnit::Second => return Err(wrong()),
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1_000_000,
    };
    let data = array.to_data();
    let values = &data.buffers()[0].typed_data::<i64>()[data.offset()..];
    (0..array.len())
        .map(|row| {
            if array.is_null(row) {
                return Ok(0);
            }
            let ms = values[row].div_euclid(units_a_ms);
            if instant.is_some() {
                return Ok(ms);
            }
            let us = ms.checked_mul(1_000).and_then(|us| instant_of_local_us(zone, us));
            us.map(|us| us.div_euclid(1_000))
                .ok_or_else(|| Error::user("a 'timestamp' is farther away than a calendar reaches"))
        })
        .collect()
}

fn attach_headers(messages: &mut Messages, batch: &Batch, column: usize) -> Result<()> {
    let map = batch.column(column).as_map_opt().ok_or_else(wrong_headers)?;
    let names = map.keys().as_string_opt::<i32>().ok_or_else(wrong_headers)?;
    let values = map.values().as_binary_opt::<i32>().ok_or_else(wrong_headers)?;
    let mut data = Vec::from(std::mem::take(&mut messages.data));
    let mut all = Vec::with_capacity(batch.rows());
    for row in 0..batch.rows() {
        let entries = match map.is_null(row) {
            true => 0..0,
            false => map.offsets()[row] as usize..map.offsets()[row + 1] as usize,
        };
        let headers = entries.map(|i| {
            let value = values.is_valid(i).then(|| {
                let start = data.len() as u32;
                data.extend_from_slice(values.value(i));
                start..data.len() as u32
            });
            Header { name: Arc::from(names.value(i)), value }
        });
        all.push(headers.collect());
    }
    messages.headers = all;
    messages.data = data.into();
    Ok(())
}

fn wrong_headers() -> Error {
    Error::user("a 'headers' column must be of type MAP<STRING, BYTES>")
}

/// The column that a sink takes for a metadata key.
fn writable(table: &TableSpec, key: &str) -> Option<usize> {
    table.columns.iter().position(|c| c.metadata_key.as_deref() == Some(key))
}
