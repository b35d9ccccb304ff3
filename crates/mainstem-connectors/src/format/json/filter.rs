//! Scan filters on raw values, before any column is built.
//! Invariant: a row passes exactly if the same comparison on the built columns were true; NULL passes nothing.

use std::cmp::Ordering;

use mainstem_core::table::{FilterOp, Literal, ScanFilter};
use mainstem_core::types::TypeKind;
use mainstem_core::{DataType, Error, Result};

use super::column::{Column, Reading, Refused, Spans};
use super::convert::{self, Cell};
use super::scan::{Kind, Span};
use super::text::{compact, unescape};
use super::time::Standard;
use crate::format::bad_record::RecordError;

/// A filter on one slot of a record.
#[derive(Debug)]
pub(super) struct Filter {
    slot: usize,
    op: FilterOp,
    test: Test,
    name: String,
    data_type: DataType,
}

#[derive(Debug)]
enum Test {
    String(String),
    Integer(i64),
    Double(f64),
    Float(f64),
    Boolean(bool),
    /// IS NOT NULL: the value is converted by a column of its own, whose array is thrown away.
    NotNull(Box<Column>),
}

impl Filter {
    /// A filter on the column `name`, whose values are in `slot`.
    pub(super) fn new(
        filter: &ScanFilter,
        name: &str,
        data_type: &DataType,
        slot: usize,
        standard: Standard,
    ) -> Result<Self> {
        let test = match (&filter.literal, &data_type.kind) {
            _ if filter.op == FilterOp::IsNotNull => {
                Test::NotNull(Box::new(Column::new(name, data_type, standard)?))
            }
            (Literal::String(text), kind) if kind.is_string() => Test::String(text.clone()),
            (Literal::Integer(value), kind) if kind.is_integer() => Test::Integer(*value),
            (Literal::Double(value), TypeKind::Double) => Test::Double(*value),
            (Literal::Double(value), TypeKind::Float) => Test::Float(*value),
            (Literal::Boolean(value), TypeKind::Boolean) => Test::Boolean(*value),
            (literal, _) => {
                return Err(Error::internal(format!(
                    "scan filter on '{name}' compares {data_type} with {literal:?}"
                )));
            }
        };
        let data_type = data_type.clone();
        Ok(Self { slot, op: filter.op, test, name: name.to_owned(), data_type })
    }

    /// Whether the record with these values passes.
    #[inline(always)]
    pub(super) fn passes(
        &mut self,
        reading: Reading<'_>,
        record: &[Span],
    ) -> Result<bool, RecordError> {
        let span = record[self.slot];
        if let (Test::String(literal), Kind::Text) = (&self.test, span.kind) {
            let text = &reading.text.as_bytes()[span.start as usize..span.end as usize];
            return Ok(match self.op {
                FilterOp::Eq => text == literal.as_bytes(),
                FilterOp::NotEq => text != literal.as_bytes(),
                op => holds(op, Some(text.cmp(literal.as_bytes()))),
            });
        }
        self.passes_slow(reading, span)
    }

    fn passes_slow(&mut self, reading: Reading<'_>, span: Span) -> Result<bool, RecordError> {
        if let Test::NotNull(column) = &mut self.test {
            let mut refused: Vec<Refused> = Vec::new();
            column.append(reading, Spans::one(&span, 0), &mut refused);
            let array = column.finish().map_err(|e| RecordError::new(0, e.to_string()))?;
            return match refused.pop() {
                Some(refused) => Err(refused.error),
                None => Ok(array.logical_null_count() == 0),
            };
        }
        let mut plain = String::new();
        let cell = match span.kind {
            Kind::Missing | Kind::Null => return Ok(false),
            Kind::Escaped => {
                unescape(&reading.text[span.start as usize..span.end as usize], &mut plain);
                Cell { window: plain.as_bytes(), len: plain.len(), kind: Kind::Text }
            }
            kind => Cell {
                window: &reading.text.as_bytes()[span.start as usize..],
                len: (span.end - span.start) as usize,
                kind,
            },
        };
        match self.compare(reading, span, cell) {
            Ok(ordering) => Ok(ordering.is_some_and(|o| holds(self.op, o))),
            Err(()) if reading.lenient => Ok(false),
            Err(()) => {
                let reason = format!("column '{}': no {}", self.name, self.data_type.kind);
                Err(RecordError::new(span.start as usize, reason))
            }
        }
    }

    /// `None` for NULL, `Some(None)` for values without an order (NaN).
    fn compare(
        &self,
        reading: Reading<'_>,
        span: Span,
        cell: Cell<'_>,
    ) -> Result<Option<Option<Ordering>>, ()> {
        Ok(match &self.test {
            Test::String(literal) => Some(Some(match cell.kind {
                Kind::Object | Kind::Array => {
                    let mut json = Vec::new();
                    compact(reading.text, span, &mut json);
                    json.as_slice().cmp(literal.as_bytes())
                }
                _ => cell.bytes().cmp(literal.as_bytes()),
            })),
            Test::Integer(literal) => {
                let value = match self.data_type.kind {
                    TypeKind::TinyInt => convert::tiny_int(cell)?.map(i64::from),
                    TypeKind::SmallInt => convert::small_int(cell)?.map(i64::from),
                    TypeKind::Int => convert::int(cell)?.map(i64::from),
                    _ => convert::big_int(cell)?,
                };
                value.map(|v| Some(v.cmp(literal)))
            }
            Test::Double(literal) => convert::double(cell)?.map(|v| v.partial_cmp(literal)),
            Test::Float(literal) => {
                convert::float(cell)?.map(|v| f64::from(v).partial_cmp(literal))
            }
            Test::Boolean(literal) => convert::boolean(cell)?.map(|v| Some(v.cmp(literal))),
            Test::NotNull(_) => None,
        })
    }
}

fn holds(op: FilterOp, ordering: Option<Ordering>) -> bool {
    match op {
        FilterOp::Eq => ordering == Some(Ordering::Equal),
        FilterOp::NotEq => ordering != Some(Ordering::Equal),
        FilterOp::Lt => ordering == Some(Ordering::Less),
        FilterOp::LtEq => ordering.is_some_and(Ordering::is_le),
        FilterOp::Gt => ordering == Some(Ordering::Greater),
        FilterOp::GtEq => ordering.is_some_and(Ordering::is_ge),
        FilterOp::IsNotNull => true,
    }
}
