//! Decodes records whose columns may be spread over key and value, and tombstones.
//! Invariant: rows leave in the order of their records. Each side is decoded by its own format with the record's
//! offset as an extra column, by which key rows and value rows find each other, so that either side may leave records
//! out (bad ones, filtered ones) or make several rows of one. A table without key columns takes a straight way.
//! Does not interpret bytes: formats do.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array, new_null_array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType as ArrowType;
use arrow_select::take::take;
use arrow_select::zip::zip;
use bytes::Bytes;
use mainstem_core::ingest::{DeadLetter, Decode, Decoded, Messages, Payload};
use mainstem_core::table::ScanFilter;
use mainstem_core::{Batch, DataType, Error, Result};

use super::columns::{Layout, SideTable};
use super::gather::Wanted;
use crate::api::SourceRequest;
use crate::format::{self, BadRecords, DecodeRequest};

/// A dead letter keeps this much of its record.
const DEAD_LETTER_BYTES_MAX: usize = 64 << 10;

/// Where an output column comes from: its index among the columns that a side decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Key(usize),
    Value(usize),
    /// A metadata column of a table with tombstones: the value side has it, or else the key side.
    Both {
        key: usize,
        value: usize,
    },
}

/// What one side decodes.
#[derive(Debug, Clone)]
struct Side {
    format: String,
    request: DecodeRequest,
}

impl Side {
    fn decoder(&self) -> Result<Box<dyn Decode>> {
        format::decoder(&self.format, self.request.clone())
    }
}

/// Everything that is settled before the first record; shared by the workers' decoders.
#[derive(Debug)]
pub(crate) struct DecodePlan {
    value: Side,
    /// The key side, if any record needs it.
    key: Option<Side>,
    /// Output columns; unused on the straight way.
    output: Vec<(Origin, DataType)>,
    /// Only tombstones need their key decoded: the value holds the key's columns as well.
    key_of_tombstones_only: bool,
    upsert: bool,
    policy: BadRecords,
    wanted: Wanted,
}

impl DecodePlan {
    pub(crate) fn new(request: &SourceRequest, layout: &Layout, upsert: bool) -> Result<Arc<Self>> {
        let table = &request.table;
        let policy = format::bad_records(&table.options)?;
        if upsert && !request.filters.is_empty() {
            return Err(Error::internal("upserts were to be filtered before they are normalised"));
        }
        let in_key_only = |c: &usize| layout.key.contains(c) && !layout.value.contains(c);
        let asked: Vec<usize> = request
            .projection
            .iter()
            .copied()
            .chain(request.filters.iter().map(|f| f.column))
            .collect();
        let from_key = asked.iter().any(in_key_only);
        let combined = upsert || from_key;
        let value_table = layout.value_table(table, combined);
        let mut builder = PlanBuilder {
            request,
            upsert,
            key_table: layout.key_table(table, upsert, combined),
            value_table,
            key_projection: Vec::new(),
            value_projection: Vec::new(),
        };
        let output = builder.output(&in_key_only)?;
        let (key_filters, value_filters): (Vec<&ScanFilter>, Vec<&ScanFilter>) =
            request.filters.iter().partition(|f| in_key_only(&f.column));
        let key_filters = builder.filters(true, &key_filters)?;
        let value_filters = builder.filters(false, &value_filters)?;
        if combined {
            builder.append_offset();
        }
        let side = |format: &str, table: &SideTable, projection, filters| Side {
            format: format.to_owned(),
            request: DecodeRequest {
                table: Arc::new(table.table.clone()),
                projection,
                filters,
                bad_records: policy,
                time_zone: request.environment.time_zone.clone(),
            },
        };
        let PlanBuilder { key_table, value_table, key_projection, value_projection, .. } = builder;
        let key = combined.then(|| {
            let format = layout.key_format.as_deref().unwrap_or_default();
            side(format, &key_table, key_projection, key_filters)
        });
        let value = side(&layout.value_format, &value_table, value_projection, value_filters);
        if upsert && format::format(&layout.value_format)?.changelog {
            return Err(Error::user(format!(
                "'upsert-kafka' cannot read format '{}', whose values are changes themselves",
                layout.value_format
            ))
            .with_hint("use connector 'kafka' for it"));
        }
        let wanted = wanted(request, &asked, key.is_some());
        let plan = Self {
            value,
            key,
            output,
            key_of_tombstones_only: upsert && !from_key,
            upsert,
            policy,
            wanted,
        };
        // Both sides are built once now, so that what a format refuses is known before anything runs.
        let plan = Arc::new(plan);
        RecordDecode::new(&plan)?;
        Ok(plan)
    }

    /// What must be copied out of the records.
    pub(crate) fn wanted(&self) -> Wanted {
        self.wanted
    }
}

fn wanted(request: &SourceRequest, asked: &[usize], keys: bool) -> Wanted {
    let metadata = |name: &str| {
        let columns = &request.table.columns;
        asked
            .iter()
            .any(|&c| columns[c].metadata_key.as_deref().is_some_and(|k| k.starts_with(name)))
    };
    Wanted { keys, timestamps: metadata("timestamp"), headers: metadata("headers") }
}

/// Collects what each side has to decode.
struct PlanBuilder<'a> {
    request: &'a SourceRequest,
    upsert: bool,
    key_table: SideTable,
    value_table: SideTable,
    key_projection: Vec<usize>,
    value_projection: Vec<usize>,
}

impl PlanBuilder<'_> {
    fn output(&mut self, in_key_only: &impl Fn(&usize) -> bool) -> Result<Vec<(Origin, DataType)>> {
        let request = self.request;
        let mut output = Vec::with_capacity(request.projection.len());
        for &column in &request.projection {
            let from = if in_key_only(&column) {
                Origin::Key(self.in_key(column)?)
            } else if self.upsert && self.key_table.index_of(column).is_some() {
                Origin::Both { key: self.in_key(column)?, value: self.in_value(column)? }
            } else {
                Origin::Value(self.in_value(column)?)
            };
            output.push((from, request.table.columns[column].data_type.clone()));
        }
        Ok(output)
    }

    fn in_key(&mut self, declared: usize) -> Result<usize> {
        let index = self.key_table.index_of(declared).ok_or_else(|| no_such(declared))?;
        self.key_projection.push(index);
        Ok(self.key_projection.len() - 1)
    }

    fn in_value(&mut self, declared: usize) -> Result<usize> {
        let index = self.value_table.index_of(declared).ok_or_else(|| no_such(declared))?;
        self.value_projection.push(index);
        Ok(self.value_projection.len() - 1)
    }

    fn filters(&self, key: bool, filters: &[&ScanFilter]) -> Result<Vec<ScanFilter>> {
        let table = if key { &self.key_table } else { &self.value_table };
        filters
            .iter()
            .map(|f| {
                let column = table.index_of(f.column).ok_or_else(|| no_such(f.column))?;
                Ok(ScanFilter { column, ..(*f).clone() })
            })
            .collect()
    }

    /// The offset is the last column of both tables.
    fn append_offset(&mut self) {
        self.key_projection.push(self.key_table.table.columns.len() - 1);
        self.value_projection.push(self.value_table.table.columns.len() - 1);
    }
}

fn no_such(declared: usize) -> Error {
    Error::internal(format!("column {declared} is neither in the key nor in the value"))
}

/// One worker's decoder.
pub(crate) struct RecordDecode {
    plan: Arc<DecodePlan>,
    value: Box<dyn Decode>,
    key: Option<Box<dyn Decode>>,
}

/// The decoded rows of one side, with the offset column apart.
struct SideRows {
    batch: Batch,
    offsets: Int64Array,
}

/// An output row: its key row, its value row, its weight.
type RowSource = (Option<u32>, Option<u32>, i64);

impl RecordDecode {
    pub(crate) fn new(plan: &Arc<DecodePlan>) -> Result<Self> {
        let key = plan.key.as_ref().map(Side::decoder).transpose()?;
        Ok(Self { value: plan.value.decoder()?, key, plan: Arc::clone(plan) })
    }

    fn decode_both(&mut self, messages: &Messages, now_ms: i64, out: &mut Decoded) -> Result<()> {
        let count = messages.len();
        let plan = Arc::clone(&self.plan);
        let is_tombstone = |i: usize| plan.upsert && messages.values[i].is_none();
        let mut in_key = Vec::with_capacity(count);
        let mut keyless = Vec::new();
        for i in 0..count {
            if messages.keys[i].is_none() {
                keyless.push(i);
            } else if !plan.key_of_tombstones_only || is_tombstone(i) {
                in_key.push(i);
            }
        }
        if plan.upsert {
            self.refuse_keyless(messages, &keyless, out)?;
        }
        let key_decoder = self.key.as_mut().ok_or_else(|| Error::internal("no key decoder"))?;
        let keys = decode_side(key_decoder, select(messages, &in_key, true), now_ms, out)?;
        // A record whose key was refused or filtered away is gone: its value is not looked at.
        let mut kept = keys.offsets.values().iter().peekable();
        let in_value: Vec<usize> = (0..count)
            .filter(|&i| {
                let offset = messages.offsets[i];
                while kept.next_if(|&&o| o < offset).is_some() {}
                let key_is_kept = kept.peek() == Some(&&offset);
                match (messages.keys[i].is_some(), is_tombstone(i)) {
                    (_, true) => false,
                    (false, _) => !plan.upsert,
                    (true, _) => plan.key_of_tombstones_only || key_is_kept,
                }
            })
            .collect();
        let values = decode_side(&mut self.value, select(messages, &in_value, false), now_ms, out)?;
        out.records += count as u64;
        let rows = self.pair(messages, &keys, &values);
        if !rows.is_empty() {
            out.batches.push(self.assemble(&rows, &keys.batch, &values.batch)?);
        }
        Ok(())
    }

    /// Merges both sides by offset. Tombstones are key rows without a value record.
    fn pair(&self, messages: &Messages, keys: &SideRows, values: &SideRows) -> Vec<RowSource> {
        let (key_offsets, value_offsets) = (keys.offsets.values(), values.offsets.values());
        let mut rows = Vec::with_capacity(value_offsets.len());
        let (mut k, mut v) = (0, 0);
        for (i, &offset) in messages.offsets.iter().enumerate() {
            while key_offsets.get(k).is_some_and(|&o| o < offset) {
                k += 1;
            }
            let key = (key_offsets.get(k) == Some(&offset)).then_some(k as u32);
            if self.plan.upsert && messages.values[i].is_none() {
                rows.extend(key.map(|k| (Some(k), None, -1)));
            }
            while value_offsets.get(v) == Some(&offset) {
                rows.push((key, Some(v as u32), values.batch.weight(v)));
                v += 1;
            }
        }
        rows
    }

    fn assemble(&self, rows: &[RowSource], keys: &Batch, values: &Batch) -> Result<Batch> {
        let key_index = Picks::new(rows.iter().map(|r| r.0), keys.rows());
        let value_index = Picks::new(rows.iter().map(|r| r.1), values.rows());
        let columns = self.plan.output.iter().map(|(from, data_type)| {
            let arrow_type = data_type.to_arrow();
            match *from {
                Origin::Key(k) => key_index.pick(keys, k, &arrow_type),
                Origin::Value(v) => value_index.pick(values, v, &arrow_type),
                Origin::Both { value, .. } if value_index.complete => {
                    value_index.pick(values, value, &arrow_type)
                }
                Origin::Both { key, value } => {
                    let from_value = value_index.pick(values, value, &arrow_type)?;
                    let from_key = key_index.pick(keys, key, &arrow_type)?;
                    let has_value: BooleanArray =
                        rows.iter().map(|r| Some(r.1.is_some())).collect();
                    Ok(zip(&has_value, &from_value, &from_key)?)
                }
            }
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let weights = rows
            .iter()
            .any(|r| r.2 != 1)
            .then(|| rows.iter().map(|r| r.2).collect::<ScalarBuffer<i64>>());
        Ok(Batch::with_weights(columns, rows.len(), weights))
    }

    /// A record without a key cannot be an upsert.
    fn refuse_keyless(
        &self,
        messages: &Messages,
        keyless: &[usize],
        out: &mut Decoded,
    ) -> Result<()> {
        for &i in keyless {
            let place = format!(
                "topic {}, partition {}, offset {}",
                messages.topic, messages.partition, messages.offsets[i]
            );
            match self.plan.policy {
                BadRecords::Fail => {
                    return Err(Error::user(format!("bad record: {place}: it has no key"))
                        .with_hint("every record of an 'upsert-kafka' table needs one"));
                }
                BadRecords::Skip => out.skipped += 1,
                BadRecords::DeadLetter => {
                    out.skipped += 1;
                    let record = messages.value(i).unwrap_or_default();
                    let kept = &record[..record.len().min(DEAD_LETTER_BYTES_MAX)];
                    out.dead_letters.push(DeadLetter {
                        record: Bytes::copy_from_slice(kept),
                        place,
                        reason: "it has no key".to_owned(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Decode for RecordDecode {
    fn decode(&mut self, payload: Payload, now_ms: i64, out: &mut Decoded) -> Result<()> {
        if self.key.is_none() {
            return self.value.decode(payload, now_ms, out);
        }
        match payload {
            Payload::Messages(messages) => self.decode_both(&messages, now_ms, out),
            _ => Err(Error::internal("a Kafka decoder got a payload that is no records")),
        }
    }
}

/// Rows to pick from one side; a row that has none there gets NULLs.
struct Picks {
    indices: Option<UInt32Array>,
    /// Every output row has a row on this side.
    complete: bool,
    count: usize,
}

impl Picks {
    fn new(rows: impl Iterator<Item = Option<u32>> + Clone, available: usize) -> Self {
        let complete = rows.clone().all(|r| r.is_some());
        let count = rows.clone().count();
        let identity =
            count == available && rows.clone().enumerate().all(|(i, r)| r == Some(i as u32));
        Self { indices: (!identity).then(|| rows.collect()), complete, count }
    }

    fn pick(&self, batch: &Batch, column: usize, arrow_type: &ArrowType) -> Result<ArrayRef> {
        if batch.is_empty() {
            return Ok(new_null_array(arrow_type, self.count));
        }
        match &self.indices {
            None => Ok(ArrayRef::clone(batch.column(column))),
            Some(indices) => Ok(take(batch.column(column), indices, None)?),
        }
    }
}

/// The records at `indices`; `keys_as_values` for a format that decodes keys.
fn select(messages: &Messages, indices: &[usize], keys_as_values: bool) -> Messages {
    let side = if keys_as_values { &messages.keys } else { &messages.values };
    let all = indices.len() == messages.len();
    let timestamps_ms = match messages.timestamps_ms.is_empty() {
        true => Vec::new(),
        false => indices.iter().map(|&i| messages.timestamps_ms[i]).collect(),
    };
    let headers = match messages.headers.is_empty() {
        true => Vec::new(),
        false => indices.iter().map(|&i| messages.headers[i].clone()).collect(),
    };
    Messages {
        data: messages.data.clone(),
        keys: Vec::new(),
        values: if all { side.clone() } else { indices.iter().map(|&i| side[i].clone()).collect() },
        timestamps_ms,
        offsets: indices.iter().map(|&i| messages.offsets[i]).collect(),
        headers,
        topic: Arc::clone(&messages.topic),
        partition: messages.partition,
        timestamp_type: messages.timestamp_type,
        partitions: Vec::new(),
    }
}

/// Decodes one side; what was left out is counted in `out`.
fn decode_side(
    decoder: &mut Box<dyn Decode>,
    messages: Messages,
    now_ms: i64,
    out: &mut Decoded,
) -> Result<SideRows> {
    let mut side = Decoded::default();
    if !messages.is_empty() {
        decoder.decode(Payload::Messages(messages), now_ms, &mut side)?;
    }
    out.skipped += side.skipped;
    out.dead_letters.append(&mut side.dead_letters);
    let batches: Vec<Batch> = side.batches.into_iter().filter(|b| !b.is_empty()).collect();
    let Some(batch) = Batch::concat(&batches)? else {
        return Ok(SideRows {
            batch: Batch::new(Vec::new(), 0),
            offsets: Int64Array::from(Vec::<i64>::new()),
        });
    };
    let offsets = batch.columns().last().and_then(|c| c.as_any().downcast_ref::<Int64Array>());
    let offsets = offsets
        .cloned()
        .ok_or_else(|| Error::internal("a format did not give the records' offsets as asked"))?;
    Ok(SideRows { batch, offsets })
}
