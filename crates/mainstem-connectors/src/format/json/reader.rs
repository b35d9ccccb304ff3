//! Records to columns. Each record is walked once to find where the wanted values are; the filters look at them there;
//! what passes is converted column by column, a block of rows at a time.
//! Invariant: a record is a row of the result, or filtered away, or a [`BadRow`]; never two of these. Nothing of the
//! payload is kept in the result.
//! Does not apply the bad-record policy and does not know places; `decode` does.

use std::ops::Range;

use arrow_array::{ArrayRef, BooleanArray};
use arrow_select::filter::filter;
use mainstem_core::ingest::Messages;
use mainstem_core::table::{ScanFilter, TableSpec};
use mainstem_core::{Error, Result};

use super::JsonOptions;
use super::column::{Column, Reading, Refused, Spans};
use super::fields::Fields;
use super::filter::Filter;
use super::payload::{Invalid, Payload};
use super::scan::{Fault, Input, Kind, Span, What};
use crate::format::bad_record::RecordError;

/// Rows whose values are located before they are converted: their text and spans stay in the cache.
const BLOCK_ROWS: usize = 1024;

/// Decodes JSON documents into columns of a table.
#[derive(Debug)]
pub struct JsonReader {
    options: JsonOptions,
    record_bytes_max: usize,
    fields: Fields,
    columns: Vec<Column>,
    filters: Vec<Filter>,
    /// Names of all wanted fields, for `fail-on-missing-field`.
    names: Vec<String>,
    /// The wanted values of the rows of a block, row after row; the last place of a row takes unwanted ones.
    spans: Vec<Span>,
    rows: Vec<Row>,
    /// Records of the rows converted so far, and which of these rows must go.
    records: Vec<u32>,
    gone: Vec<u32>,
    read: u64,
    bad: Vec<BadRow>,
    lines: bool,
}

/// A record: its bytes in the payload and its number.
#[derive(Debug, Clone, Copy)]
struct Row {
    start: u32,
    end: u32,
    record: u32,
}

/// A record that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The record's index in the payload, counting from 0; of lines, those that are not blank.
    pub record: u32,
    /// Its bytes in the payload.
    pub bytes: Range<usize>,
    /// What is wrong, and where in the record.
    pub error: RecordError,
}

/// What one payload brought.
#[derive(Debug)]
pub struct Rows {
    /// The columns asked for, in the order asked for, all of one length.
    pub columns: Vec<ArrayRef>,
    /// For each row, the index of its record.
    pub records: Vec<u32>,
    /// Records refused, in the order of the payload. If reading stopped at one, that is the first.
    pub bad: Vec<BadRow>,
    /// Records seen: good, bad or filtered away.
    pub read: u64,
}

impl JsonReader {
    /// A reader for `columns` (indices into `table.columns`; none of them METADATA) of the records that pass
    /// `filters`. `record_bytes_max` bounds a record.
    pub fn new(
        table: &TableSpec,
        columns: &[usize],
        filters: &[ScanFilter],
        options: JsonOptions,
        record_bytes_max: usize,
    ) -> Result<Self> {
        let standard = options.standard;
        let mut wanted: Vec<usize> = columns.to_vec();
        let mut compiled = Vec::with_capacity(filters.len());
        for filter in filters {
            let column = &table.columns[filter.column];
            if column.metadata_key.is_some() {
                return Err(Error::internal("a json scan filter names a metadata column"));
            }
            let slot = wanted.iter().position(|w| *w == filter.column).unwrap_or_else(|| {
                wanted.push(filter.column);
                wanted.len() - 1
            });
            compiled.push(Filter::new(filter, &column.name, &column.data_type, slot, standard)?);
        }
        let built = columns
            .iter()
            .map(|&i| {
                let column = &table.columns[i];
                let built = Column::new(&column.name, &column.data_type, standard)?;
                Ok(built.required(!column.data_type.nullable))
            })
            .collect::<Result<_>>()?;
        let names: Vec<String> = wanted.iter().map(|&i| table.columns[i].name.clone()).collect();
        Ok(Self {
            options,
            record_bytes_max,
            fields: Fields::new(names.iter().map(String::as_str)),
            columns: built,
            filters: compiled,
            names,
            spans: Vec::new(),
            rows: Vec::new(),
            records: Vec::new(),
            gone: Vec::new(),
            read: 0,
            bad: Vec::new(),
            lines: false,
        })
    }

    /// Reads newline-delimited documents. With `stop`, reading ends at the first bad record.
    pub fn read_lines(&mut self, data: &[u8], stop: bool) -> Result<Rows> {
        let payload = Payload::of_lines(data)?;
        self.start(true);
        let text = payload.text();
        let input = Input::new(text.as_bytes(), text.len(), true);
        let mut invalid = payload.invalid().iter().peekable();
        let mut at = 0;
        while at < input.end() {
            let start = at;
            at = input.space(at);
            if at >= input.end() || input.byte(at) == b'\n' {
                at += 1;
                continue;
            }
            let record = self.number_record();
            let read = self.read_record(&input, at, text);
            if let Ok(end) = read
                && invalid.peek().is_none_or(|i| i.record.start != start)
                && end - start <= self.record_bytes_max
            {
                self.accept(Row { start: start as u32, end: end as u32, record });
                at = end + 1;
            } else {
                let from = read.as_ref().map_or_else(|e| start.max(e.at), |end| *end);
                at = memchr::memchr(b'\n', &text.as_bytes()[from.min(text.len())..])
                    .map_or(text.len(), |found| from + found);
                let invalid = invalid.next_if(|i| i.record.start == start);
                self.drop_last();
                self.refuse(record, start..at, read, invalid);
                at += 1;
            }
            if stop && !self.bad.is_empty() {
                break;
            }
            if self.rows.len() == BLOCK_ROWS {
                self.convert_block(text);
            }
        }
        self.finish(text)
    }

    /// Reads the values of messages, one document each. A message without a value, or with an empty one, brings no
    /// row. With `stop`, reading ends at the first bad record.
    pub fn read_messages(&mut self, messages: &Messages, stop: bool) -> Result<Rows> {
        let payload = Payload::of_ranges(&messages.data, &messages.values)?;
        self.start(false);
        let text = payload.text();
        for (index, range) in messages.values.iter().enumerate() {
            self.read += 1;
            let Some(range) = range else { continue };
            let (start, end) = (range.start as usize, range.end as usize);
            let input = Input::new(text.as_bytes(), end, false);
            let first = input.space(start);
            if first >= end {
                continue;
            }
            let read = self.read_record(&input, first, text);
            let invalid = payload.invalid_at(index);
            if read.is_ok() && invalid.is_none() && end - start <= self.record_bytes_max {
                self.accept(Row { start: range.start, end: range.end, record: index as u32 });
            } else {
                self.drop_last();
                self.refuse(index as u32, start..end, read, invalid);
            }
            if stop && !self.bad.is_empty() {
                break;
            }
            if self.rows.len() == BLOCK_ROWS {
                self.convert_block(text);
            }
        }
        self.finish(text)
    }

    fn start(&mut self, lines: bool) {
        if self.lines != lines {
            // A key followed by a line feed is a key in a message, and the end of the record in a file.
            self.fields.forget();
            self.lines = lines;
        }
        self.spans.clear();
        self.rows.clear();
        self.read = 0;
    }

    fn number_record(&mut self) -> u32 {
        let record = self.read as u32;
        self.read += 1;
        record
    }

    fn reading<'a>(&self, text: &'a str) -> Reading<'a> {
        Reading {
            text,
            lenient: self.options.ignore_parse_errors,
            fail_on_missing: self.options.fail_on_missing_field,
        }
    }

    /// Locates the wanted values of the record at `at` and appends their spans. Gives where the record ends, with the
    /// white space behind it.
    #[inline(always)]
    fn read_record(
        &mut self,
        input: &Input<'_>,
        at: usize,
        text: &str,
    ) -> Result<usize, RecordError> {
        let stride = self.names.len() + 1;
        let base = self.spans.len();
        self.spans.resize(base + stride, Span::MISSING);
        let end = match locate(&mut self.fields, &mut self.spans[base..], input, at) {
            Ok(end) => end,
            Err(Fault { at, what }) => return Err(RecordError::new(at as usize, what.reason())),
        };
        if self.options.fail_on_missing_field {
            self.check_missing(base, end)?;
        }
        let reading = self.reading(text);
        for filter in &mut self.filters {
            if !filter.passes(reading, &self.spans[base..])? {
                self.spans.truncate(base);
                break;
            }
        }
        Ok(end)
    }

    fn check_missing(&self, base: usize, end: usize) -> Result<(), RecordError> {
        let wanted = &self.spans[base..base + self.names.len()];
        match wanted.iter().position(|s| s.kind == Kind::Missing) {
            None => Ok(()),
            Some(slot) => {
                let reason = format!("the field '{}' is missing", self.names[slot]);
                Err(RecordError::new(end - 1, reason))
            }
        }
    }

    /// The record that was read last is a row, unless a filter took its spans away.
    #[inline(always)]
    fn accept(&mut self, row: Row) {
        if self.spans.len() > self.rows.len() * (self.names.len() + 1) {
            self.rows.push(row);
        }
    }

    /// Takes the spans of the record that was read last away.
    fn drop_last(&mut self) {
        self.spans.truncate(self.rows.len() * (self.names.len() + 1));
    }

    #[cold]
    fn refuse(
        &mut self,
        record: u32,
        bytes: Range<usize>,
        read: Result<usize, RecordError>,
        invalid: Option<&Invalid>,
    ) {
        let size = bytes.len();
        let mut error = if size > self.record_bytes_max {
            let max = self.record_bytes_max;
            RecordError::new(
                bytes.start,
                format!("{size} bytes, and 'mainstem.record-bytes-max' is {max}"),
            )
        } else if let Some(invalid) = invalid {
            RecordError::new(invalid.at, "not valid UTF-8")
        } else {
            match read {
                Err(error) => error,
                Ok(end) => RecordError::new(end, What::Trailing.reason()),
            }
        };
        error.at = error.at.saturating_sub(bytes.start);
        self.bad.push(BadRow { record, bytes, error });
    }

    /// Converts the located values of all rows at hand.
    fn convert_block(&mut self, text: &str) {
        let reading = self.reading(text);
        let first_row = self.records.len() as u32;
        let stride = self.names.len() + 1;
        let mut refused: Vec<Refused> = Vec::new();
        for (slot, column) in self.columns.iter_mut().enumerate() {
            let spans = Spans { spans: &self.spans, stride, slot, first_row };
            column.append(reading, spans, &mut refused);
        }
        self.records.extend(self.rows.iter().map(|row| row.record));
        // Of several faults of a row the first one in the record is told.
        refused.sort_by_key(|r| (r.row, r.error.at));
        refused.dedup_by_key(|r| r.row);
        for Refused { row, mut error } in refused {
            let Row { start, end, record } = self.rows[(row - first_row) as usize];
            error.at = error.at.saturating_sub(start as usize);
            self.gone.push(row);
            self.bad.push(BadRow { record, bytes: start as usize..end as usize, error });
        }
        self.spans.clear();
        self.rows.clear();
    }

    fn finish(&mut self, text: &str) -> Result<Rows> {
        self.convert_block(text);
        let mut columns =
            self.columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>>>()?;
        let mut records = std::mem::take(&mut self.records);
        let mut bad = std::mem::take(&mut self.bad);
        bad.sort_by_key(|b| b.record);
        let gone = std::mem::take(&mut self.gone);
        if !gone.is_empty() {
            let mut keep = vec![true; records.len()];
            for row in gone {
                keep[row as usize] = false;
            }
            let mut kept = keep.iter();
            records.retain(|_| kept.next().copied().unwrap_or(true));
            let keep = BooleanArray::from(keep);
            for column in &mut columns {
                *column = filter(column, &keep)?;
            }
        }
        Ok(Rows { columns, records, bad, read: self.read })
    }
}

/// Puts the spans of the wanted fields of the object at `at` into `record`, and gives where the line or message ends,
/// white space included. Only that may follow the object.
#[inline(always)]
fn locate(
    fields: &mut Fields,
    record: &mut [Span],
    input: &Input<'_>,
    at: usize,
) -> Result<usize, Fault> {
    if input.byte(at) != b'{' {
        return Err(input.fault(at, What::NotAnObject));
    }
    let mut at = at + 1;
    let mut walk = fields.walk();
    if input.byte(at) != b'"' {
        let first = input.space(at);
        if input.byte(first) == b'}' {
            return record_end(input, first + 1);
        }
    }
    loop {
        let (slot, value) = fields.key(&mut walk, input, at)?;
        let (span, next) = fields.value(&walk, input, value)?;
        record[slot] = span;
        at = input.space(next);
        match input.byte(at) {
            b',' => at += 1,
            b'}' => return record_end(input, at + 1),
            _ => return Err(input.fault(at, What::CommaExpected)),
        }
    }
}

#[inline(always)]
fn record_end(input: &Input<'_>, at: usize) -> Result<usize, Fault> {
    let end = input.space(at);
    if end == input.end() || input.ends_line(end) {
        Ok(end)
    } else {
        Err(Fault { at: end as u32, what: What::Trailing })
    }
}
