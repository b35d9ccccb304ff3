//! The `Decode` of the format: payloads in, batches in the order of the projection out, bad records by policy.
//! Invariant: the policy sees bad records in the order of the payload, with their places.

use arrow_array::ArrayRef;
use mainstem_core::ingest::{Decode, Decoded, Lines, Messages, Payload};
use mainstem_core::{Batch, Error, Result};

use super::JsonOptions;
use super::reader::{JsonReader, Rows};
use crate::format::bad_record::{LinePlaces, message_place, record_bytes_max, refuse};
use crate::format::metadata::MetadataColumns;
use crate::format::{BadRecords, DecodeRequest};

/// Decodes payloads of one table.
#[derive(Debug)]
pub(super) struct JsonDecoder {
    reader: JsonReader,
    metadata: MetadataColumns,
    policy: BadRecords,
}

impl JsonDecoder {
    pub(super) fn new(request: &DecodeRequest) -> Result<Self> {
        let options = JsonOptions::of_decoder(&request.table.options)?;
        let metadata =
            MetadataColumns::new(&request.table, &request.projection, &request.time_zone)?;
        let policy =
            if options.ignore_parse_errors { BadRecords::Skip } else { request.bad_records };
        let reader = JsonReader::new(
            &request.table,
            &metadata.value_columns(),
            &request.filters,
            options,
            record_bytes_max(&request.table.options)?,
        )?;
        Ok(Self { reader, metadata, policy })
    }

    fn decode_lines(&mut self, lines: &Lines, out: &mut Decoded) -> Result<()> {
        let mut rows = self.reader.read_lines(&lines.data, self.policy == BadRecords::Fail)?;
        let mut places = LinePlaces::new(lines);
        for bad in std::mem::take(&mut rows.bad) {
            let start = bad.bytes.start;
            let record = &lines.data[bad.bytes];
            refuse(self.policy, record, || places.place(start), bad.error, out)?;
        }
        let count = rows.records.len();
        self.push(rows, count, |metadata| metadata.of_lines(lines, count), out)
    }

    fn decode_messages(&mut self, messages: &Messages, out: &mut Decoded) -> Result<()> {
        let stop = self.policy == BadRecords::Fail;
        let mut rows = self.reader.read_messages(messages, stop)?;
        for bad in std::mem::take(&mut rows.bad) {
            let index = bad.record as usize;
            let record = &messages.data[bad.bytes];
            refuse(self.policy, record, || message_place(messages, index), bad.error, out)?;
        }
        let kept = std::mem::take(&mut rows.records);
        self.push(rows, kept.len(), |metadata| metadata.of_messages(messages, &kept), out)
    }

    fn push(
        &self,
        rows: Rows,
        count: usize,
        metadata: impl FnOnce(&MetadataColumns) -> Result<Vec<ArrayRef>>,
        out: &mut Decoded,
    ) -> Result<()> {
        out.records += rows.read;
        if count == 0 {
            return Ok(());
        }
        let columns = if self.metadata.is_empty() {
            rows.columns
        } else {
            self.metadata.assemble(rows.columns, metadata(&self.metadata)?)
        };
        out.batches.push(Batch::new(columns, count));
        Ok(())
    }
}

impl Decode for JsonDecoder {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        match payload {
            Payload::Lines(lines) => self.decode_lines(&lines, out),
            Payload::Messages(messages) => self.decode_messages(&messages, out),
            Payload::Unread(_) | Payload::Oversized(_) | Payload::Rows(_) | Payload::Batch(_) => {
                Err(Error::internal("format 'json' got a payload without whole records"))
            }
        }
    }
}

/// The format's decoder for `request`.
pub fn decoder(request: &DecodeRequest) -> Result<Box<dyn Decode>> {
    Ok(Box::new(JsonDecoder::new(request)?))
}
