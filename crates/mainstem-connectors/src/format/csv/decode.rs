//! CSV records into columns.
//! Invariant: every record of a payload becomes one row, one refused record, or nothing (a comment, the header);
//! columns that nobody asked for are split but not read. Fields go by position, as in Flink.
//! What it does not do: no framing (readers cut files at record ends), no policy (`bad_record` has it).

use arrow_array::{ArrayRef, BooleanArray};
use arrow_select::filter::filter;
use mainstem_core::ingest::{Decode, Decoded, LineNumber, Lines, Messages, Payload};
use mainstem_core::{Batch, Error, Result};

use super::column::{Column, Texts};
use super::tokenize::Tokenizer;
use super::{Settings, data_columns};
use crate::format::bad_record::{LinePlaces, RecordError, message_place, record_bytes_max, refuse};
use crate::format::metadata::MetadataColumns;
use crate::format::{BadRecords, DecodeRequest};

/// A column of the file that is wanted.
#[derive(Debug)]
struct Wanted {
    /// Its position in a record.
    field: usize,
    /// Its position among the value columns of the batch.
    output: usize,
    name: String,
    column: Column,
}

#[derive(Debug)]
pub(super) struct CsvDecoder {
    tokenizer: Tokenizer,
    texts: Texts,
    skip_header: bool,
    policy: BadRecords,
    record_bytes_max: usize,
    /// How many fields a record has.
    arity: usize,
    /// In the order of the fields.
    wanted: Vec<Wanted>,
    metadata: MetadataColumns,
    rows: usize,
    /// Rows that were appended and then refused.
    dropped: Vec<usize>,
}

/// What became of one record.
enum Row {
    Kept,
    /// Appended to the columns, to be taken out.
    Refused(RecordError),
}

impl CsvDecoder {
    pub(super) fn new(request: &DecodeRequest) -> Result<Self> {
        let settings = Settings::read(&request.table.options)?;
        let fields = data_columns(&request.table);
        let mut wanted = Vec::new();
        let metadata =
            MetadataColumns::new(&request.table, &request.projection, &request.time_zone)?;
        for (output, index) in metadata.value_columns().into_iter().enumerate() {
            let column = &request.table.columns[index];
            let Ok(field) = fields.binary_search(&index) else {
                return Err(Error::internal(format!("'{}' is no field of a record", column.name)));
            };
            wanted.push(Wanted {
                field,
                output,
                name: column.name.clone(),
                column: Column::new(&column.name, &column.data_type, 0)?,
            });
        }
        wanted.sort_by_key(|w| w.field);
        Ok(Self {
            tokenizer: Tokenizer::new(settings.dialect),
            texts: settings.texts,
            skip_header: settings.skip_header,
            policy: request.bad_records,
            record_bytes_max: record_bytes_max(&request.table.options)?,
            arity: fields.len(),
            wanted,
            metadata,
            rows: 0,
            dropped: Vec::new(),
        })
    }

    fn decode_lines(&mut self, lines: &Lines, out: &mut Decoded) -> Result<()> {
        let data: &[u8] = &lines.data;
        let mut places = LinePlaces::new(lines);
        let mut at = 0;
        let mut header = self.skip_header && matches!(lines.first_line, LineNumber::Known(1));
        loop {
            at = self.tokenizer.skip_comments(data, at);
            if at >= data.len() {
                break;
            }
            let (next, row) = self.record(data, at, header);
            if !std::mem::take(&mut header) {
                out.records += 1;
                if let Some(Row::Refused(error)) = row {
                    self.refuse(&data[at..next], || places.place(at), error, out)?;
                }
            }
            at = next;
        }
        let metadata = self.metadata.of_lines(lines, self.rows - self.dropped.len())?;
        self.push_batch(metadata, out)
    }

    fn decode_messages(&mut self, messages: &Messages, out: &mut Decoded) -> Result<()> {
        let mut kept = Vec::with_capacity(messages.len());
        for index in 0..messages.len() {
            out.records += 1;
            // As Flink: a record without a value is no row.
            let Some(data) = messages.value(index) else { continue };
            match self.message(data) {
                Ok(()) => kept.push(index as u32),
                Err(error) => {
                    self.refuse(data, || message_place(messages, index), error, out)?;
                }
            }
        }
        let metadata = self.metadata.of_messages(messages, &kept)?;
        self.push_batch(metadata, out)
    }

    fn message(&mut self, data: &[u8]) -> Result<(), RecordError> {
        let start = self.tokenizer.skip_comments(data, 0);
        if start >= data.len() {
            return Err(RecordError::new(0, "the record is empty"));
        }
        let (next, row) = self.record(data, start, false);
        if let Some(Row::Refused(error)) = row {
            return Err(error);
        }
        if data[next..].iter().any(|b| *b > b' ') {
            self.drop_last();
            return Err(RecordError::new(next, "the record has more than one line"));
        }
        Ok(())
    }

    /// Reads one record; gives where the next one starts and, unless it was only `skip`ped, what became of it.
    fn record(&mut self, data: &[u8], at: usize, skip: bool) -> (usize, Option<Row>) {
        let next = match self.tokenizer.record(data, at) {
            Ok(next) => next,
            Err(broken) => {
                let error = RecordError::new(0, broken.reason);
                return (broken.next, Some(Row::Refused(error)));
            }
        };
        if skip {
            return (next, None);
        }
        if next - at > self.record_bytes_max {
            let reason = "the record is longer than 'mainstem.record-bytes-max' allows";
            return (next, Some(Row::Refused(RecordError::new(0, reason))));
        }
        (next, Some(self.append(data, at)))
    }

    /// Appends the record that the tokenizer holds.
    #[inline]
    fn append(&mut self, data: &[u8], start: usize) -> Row {
        let fields = &self.tokenizer.fields;
        let ignore = self.texts.ignore_parse_errors;
        if fields.len() != self.arity && (fields.len() > self.arity || !ignore) {
            let reason =
                format!("it has {} fields, and the table has {} columns", fields.len(), self.arity);
            return Row::Refused(RecordError::new(0, reason));
        }
        let mut refused = None;
        for wanted in &mut self.wanted {
            let Some(field) = fields.get(wanted.field) else {
                wanted.column.push_null();
                continue;
            };
            let source = if field.unescaped { self.tokenizer.scratch.as_slice() } else { data };
            let text = &source[field.start..field.end];
            if self.texts.null_literal.as_deref() == Some(text) {
                wanted.column.push_null();
            } else if let Err(error) = wanted.column.push(text, &self.texts)
                && !ignore
            {
                let at = if field.unescaped { 0 } else { field.start - start };
                let reason = format!("column '{}': {}", wanted.name, error.reason);
                refused = Some(refused.unwrap_or_else(|| RecordError::new(at, reason)));
            }
        }
        self.rows += 1;
        match refused {
            None => Row::Kept,
            Some(error) => {
                self.drop_last();
                Row::Refused(error)
            }
        }
    }

    fn drop_last(&mut self) {
        self.dropped.push(self.rows - 1);
    }

    fn refuse(
        &self,
        record: &[u8],
        place: impl FnOnce() -> String,
        error: RecordError,
        out: &mut Decoded,
    ) -> Result<()> {
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        // `csv.ignore-parse-errors` is Flink's word for skipping.
        let policy = match self.policy {
            BadRecords::Fail if self.texts.ignore_parse_errors => BadRecords::Skip,
            policy => policy,
        };
        refuse(policy, record, place, error, out)
    }

    /// Hands out the rows that were kept; `metadata` has a value for each of them.
    fn push_batch(&mut self, metadata: Vec<ArrayRef>, out: &mut Decoded) -> Result<()> {
        let (columns, rows) = self.take_columns()?;
        if rows > 0 {
            out.batches.push(Batch::new(self.metadata.assemble(columns, metadata), rows));
        }
        Ok(())
    }

    fn take_columns(&mut self) -> Result<(Vec<ArrayRef>, usize)> {
        let rows = std::mem::take(&mut self.rows);
        let dropped = std::mem::take(&mut self.dropped);
        let mut columns = vec![None; self.wanted.len()];
        for wanted in &mut self.wanted {
            columns[wanted.output] = Some(wanted.column.finish()?);
        }
        let mut columns: Vec<ArrayRef> = columns.into_iter().flatten().collect();
        if !dropped.is_empty() {
            let mut keep = vec![true; rows];
            dropped.iter().for_each(|row| keep[*row] = false);
            let keep = BooleanArray::from(keep);
            for column in &mut columns {
                *column = filter(column, &keep)?;
            }
        }
        Ok((columns, rows - dropped.len()))
    }
}

impl Decode for CsvDecoder {
    fn decode(&mut self, payload: Payload, _now_ms: i64, out: &mut Decoded) -> Result<()> {
        let decoded = match &payload {
            Payload::Lines(lines) => self.decode_lines(lines, out),
            Payload::Messages(messages) => self.decode_messages(messages, out),
            _ => Err(Error::internal("format 'csv' was given a payload without text")),
        };
        if decoded.is_err() {
            // The next payload starts with level, empty columns.
            self.take_columns()?;
        }
        decoded
    }
}
