//! Columns of ARRAY, MAP, MULTISET and ROW: each holds the columns of what is inside.
//! Invariant: as for every column, one span appends one value, whatever happens inside; children of a ROW stay of one
//! length. The depth of the data is bounded by `scan`, that of the type by the DDL.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::NullBufferBuilder;
use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType as ArrowType, FieldRef, Fields as ArrowFields};
use mainstem_core::types::Field;
use mainstem_core::{DataType, Error, Result};

use super::column::{Column, Fill, Refused, Spans};
use super::fields::Fields;
use super::scan::{Input, Kind, Span};
use super::text::unescape;
use super::time::Standard;
use crate::format::bad_record::RecordError;

fn internal(data_type: &DataType) -> Error {
    Error::internal(format!("{data_type} is carried by an unexpected arrow type"))
}

/// Ends of lists and which of them are NULL.
#[derive(Debug)]
struct Ends {
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Ends {
    fn new() -> Self {
        Self { offsets: vec![0], nulls: NullBufferBuilder::new(0) }
    }

    /// Closes a list of `count` elements.
    fn close(&mut self, count: Option<usize>) {
        let last = self.offsets.last().copied().unwrap_or(0);
        // A payload has less than 2^31 elements: each takes two bytes of at most 4 GiB.
        self.offsets.push(last + count.unwrap_or(0) as i32);
        self.nulls.append(count.is_some());
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Option<arrow_buffer::NullBuffer>) {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), self.nulls.finish())
    }
}

/// An ARRAY column.
#[derive(Debug)]
pub(super) struct ListColumn {
    ends: Ends,
    item: Column,
    field: FieldRef,
}

impl ListColumn {
    pub(super) fn new(
        name: &str,
        data_type: &DataType,
        item: &DataType,
        standard: Standard,
    ) -> Result<Self> {
        let ArrowType::List(field) = data_type.to_arrow() else { return Err(internal(data_type)) };
        let item = Column::new(&format!("{name}[]"), item, standard)?;
        Ok(Self { ends: Ends::new(), item, field })
    }

    pub(super) fn append(&mut self, fill: &mut Fill<'_>) {
        for (row, span) in fill.spans.iter() {
            match span.kind {
                Kind::Array => {
                    let count = self.elements(fill, row, span);
                    self.ends.close(Some(count));
                }
                kind => {
                    absent(fill, row, span, kind);
                    self.ends.close(None);
                }
            }
        }
    }

    fn elements(&mut self, fill: &mut Fill<'_>, row: u32, span: Span) -> usize {
        let input = inside(fill, span);
        let mut at = input.space(span.start as usize + 1);
        let mut count = 0;
        while input.byte(at) != b']' {
            // Checked by `scan`: elements and commas follow each other to the bracket.
            let Ok((element, next)) = input.value(at) else { break };
            self.item.append(fill.reading, Spans::one(&element, row), fill.refused);
            count += 1;
            at = input.space(next);
            if input.byte(at) == b',' {
                at = input.space(at + 1);
            }
        }
        count
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        let (offsets, nulls) = self.ends.finish();
        let items = self.item.finish()?;
        Ok(Arc::new(ListArray::try_new(FieldRef::clone(&self.field), offsets, items, nulls)?))
    }
}

/// The record up to the end of a nested value.
fn inside<'a>(fill: &Fill<'a>, span: Span) -> Input<'a> {
    Input::new(fill.reading.text.as_bytes(), span.end as usize, false)
}

/// A value that is NULL, or not of the kind the type needs.
fn absent(fill: &mut Fill<'_>, row: u32, span: Span, kind: Kind) {
    if matches!(kind, Kind::Missing | Kind::Null) {
        fill.null(row, span);
    } else {
        fill.refuse(row, span);
    }
}

/// A MAP or MULTISET column.
#[derive(Debug)]
pub(super) struct MapColumn {
    ends: Ends,
    keys: Column,
    values: Column,
    field: FieldRef,
    entry_fields: ArrowFields,
    /// The entries of the map at hand.
    entries: Vec<(Span, Span)>,
}

/// Up to so many keys are compared with each other; more go through a tree.
const COMPARED_KEYS_MAX: usize = 16;

impl MapColumn {
    pub(super) fn new(
        name: &str,
        data_type: &DataType,
        value: &DataType,
        standard: Standard,
    ) -> Result<Self> {
        let ArrowType::Map(field, _) = data_type.to_arrow() else {
            return Err(internal(data_type));
        };
        let ArrowType::Struct(entry_fields) = field.data_type() else {
            return Err(internal(data_type));
        };
        Ok(Self {
            ends: Ends::new(),
            keys: Column::new(&format!("{name}.key"), &DataType::string(), standard)?,
            values: Column::new(&format!("{name}.value"), value, standard)?,
            entry_fields: entry_fields.clone(),
            field,
            entries: Vec::new(),
        })
    }

    pub(super) fn append(&mut self, fill: &mut Fill<'_>) {
        for (row, span) in fill.spans.iter() {
            match span.kind {
                Kind::Object => {
                    self.find_entries(fill, span);
                    self.keep_last_of_each_key(fill);
                    for (key, value) in &self.entries {
                        self.keys.append(fill.reading, Spans::one(key, row), fill.refused);
                        self.values.append(fill.reading, Spans::one(value, row), fill.refused);
                    }
                    self.ends.close(Some(self.entries.len()));
                }
                kind => {
                    absent(fill, row, span, kind);
                    self.ends.close(None);
                }
            }
        }
    }

    fn find_entries(&mut self, fill: &Fill<'_>, span: Span) {
        self.entries.clear();
        let input = inside(fill, span);
        let mut at = input.space(span.start as usize + 1);
        while input.byte(at) == b'"' {
            let Ok((key, start)) = input.key(at) else { break };
            let Ok((value, next)) = input.value(start) else { break };
            self.entries.push((key, value));
            at = input.space(next);
            if input.byte(at) == b',' {
                at = input.space(at + 1);
            }
        }
    }

    /// A key stays where it was first, with the value it had last.
    fn keep_last_of_each_key(&mut self, fill: &Fill<'_>) {
        let plain = self.entries.iter().all(|(key, _)| key.kind == Kind::Text);
        if plain && self.entries.len() <= COMPARED_KEYS_MAX {
            let distinct = (1..self.entries.len()).all(|i| {
                let key = fill.raw(self.entries[i].0);
                self.entries[..i].iter().all(|(earlier, _)| fill.raw(*earlier) != key)
            });
            if distinct {
                return;
            }
        }
        let mut places: BTreeMap<Cow<'_, str>, usize> = BTreeMap::new();
        let mut kept: Vec<(Span, Span)> = Vec::with_capacity(self.entries.len());
        for &(key, value) in &self.entries {
            let raw = fill.raw(key);
            let name = if key.kind == Kind::Escaped {
                let mut plain = String::new();
                unescape(raw, &mut plain);
                Cow::Owned(plain)
            } else {
                Cow::Borrowed(raw)
            };
            let place = *places.entry(name).or_insert(kept.len());
            match kept.get_mut(place) {
                Some(entry) => entry.1 = value,
                None => kept.push((key, value)),
            }
        }
        self.entries = kept;
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        let (offsets, nulls) = self.ends.finish();
        let columns = vec![self.keys.finish()?, self.values.finish()?];
        let entries = StructArray::try_new(self.entry_fields.clone(), columns, None)?;
        let field = FieldRef::clone(&self.field);
        Ok(Arc::new(MapArray::try_new(field, offsets, entries, nulls, false)?))
    }
}

/// A ROW column.
#[derive(Debug)]
pub(super) struct RowColumn {
    count: usize,
    nulls: NullBufferBuilder,
    columns: Vec<Column>,
    names: Fields,
    arrow_fields: ArrowFields,
    /// The fields of the row at hand, and one place for unwanted ones.
    spans: Vec<Span>,
}

impl RowColumn {
    pub(super) fn new(
        name: &str,
        data_type: &DataType,
        fields: &[Field],
        standard: Standard,
    ) -> Result<Self> {
        let ArrowType::Struct(arrow_fields) = data_type.to_arrow() else {
            return Err(internal(data_type));
        };
        let columns = fields
            .iter()
            .map(|f| Column::new(&format!("{name}.{}", f.name), &f.data_type, standard))
            .collect::<Result<_>>()?;
        Ok(Self {
            count: 0,
            nulls: NullBufferBuilder::new(0),
            columns,
            names: Fields::new(fields.iter().map(|f| f.name.as_str())),
            arrow_fields,
            spans: Vec::new(),
        })
    }

    pub(super) fn append(&mut self, fill: &mut Fill<'_>) {
        for (row, span) in fill.spans.iter() {
            self.spans.clear();
            self.spans.resize(self.columns.len() + 1, Span::MISSING);
            self.count += 1;
            let valid = span.kind == Kind::Object;
            if valid {
                self.find_fields(fill, span);
                self.check_missing(fill, row, span);
            } else {
                absent(fill, row, span, span.kind);
            }
            self.nulls.append(valid);
            for (column, field) in self.columns.iter_mut().zip(&self.spans) {
                column.append(fill.reading, Spans::one(field, row), fill.refused);
            }
        }
    }

    fn find_fields(&mut self, fill: &Fill<'_>, span: Span) {
        let input = inside(fill, span);
        let mut walk = self.names.walk();
        let mut at = span.start as usize + 1;
        if input.byte(input.space(at)) == b'}' {
            return;
        }
        while let Ok((slot, start)) = self.names.key(&mut walk, &input, at) {
            let Ok((value, next)) = self.names.value(&walk, &input, start) else { break };
            self.spans[slot] = value;
            at = input.space(next);
            if input.byte(at) != b',' {
                break;
            }
            at += 1;
        }
    }

    fn check_missing(&self, fill: &mut Fill<'_>, row: u32, span: Span) {
        if !fill.reading.fail_on_missing {
            return;
        }
        for (column, field) in self.columns.iter().zip(&self.spans) {
            if field.kind == Kind::Missing {
                let reason = format!("the field '{}' is missing", column.label().name);
                let error = RecordError::new(span.start as usize, reason);
                fill.refused.push(Refused { row, error });
            }
        }
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        let columns = self.columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>>>()?;
        let count = std::mem::take(&mut self.count);
        let nulls = self.nulls.finish();
        let fields = self.arrow_fields.clone();
        Ok(Arc::new(StructArray::try_new_with_length(fields, columns, nulls, count)?))
    }
}
