//! Which fields of a table's ROWs are read, and the table as if it had been declared with only those.
//! Invariant: expressions over the narrow columns compute what they computed over the wide ones; a ROW of which
//! something is read keeps its NULLs.

use std::collections::BTreeMap;

use mainstem_core::types::Field;
use mainstem_core::{DataType, TypeKind};

use crate::bound::{Bound, BoundKind};

/// How much of a value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All of it.
    Whole,
    /// These fields of a ROW.
    Fields(BTreeMap<usize, Reading>),
}

impl Reading {
    /// Adds what `expr` reads of each column.
    pub(crate) fn note(expr: &Bound, readings: &mut BTreeMap<usize, Reading>) {
        let mut path = Vec::new();
        match root(expr, &mut path) {
            Some(column) => {
                let reading =
                    readings.entry(column).or_insert_with(|| Reading::Fields(BTreeMap::new()));
                reading.add(path.iter().rev().copied());
            }
            None => expr.children().into_iter().for_each(|child| Self::note(child, readings)),
        }
    }

    fn add(&mut self, mut path: impl Iterator<Item = usize>) {
        let Reading::Fields(fields) = self else { return };
        match path.next() {
            None => *self = Reading::Whole,
            Some(index) => {
                fields.entry(index).or_insert_with(|| Reading::Fields(BTreeMap::new())).add(path)
            }
        }
    }

    /// The type with only what is read.
    pub(crate) fn narrowed(&self, data_type: &DataType) -> DataType {
        match (self, &data_type.kind) {
            (Reading::Fields(read), TypeKind::Row(fields)) => {
                let field = |(index, reading): (&usize, &Reading)| Field {
                    name: fields[*index].name.clone(),
                    data_type: reading.narrowed(&fields[*index].data_type),
                };
                let kind = TypeKind::Row(read.iter().map(field).collect());
                DataType { kind, nullable: data_type.nullable }
            }
            _ => data_type.clone(),
        }
    }

    /// `name`, with the fields if not all are read.
    pub(crate) fn text(&self, name: &str, data_type: &DataType) -> String {
        match (self, &data_type.kind) {
            (Reading::Fields(read), TypeKind::Row(fields)) => {
                let field = |(index, reading): (&usize, &Reading)| {
                    reading.text(&fields[*index].name, &fields[*index].data_type)
                };
                format!("{name}({})", read.iter().map(field).collect::<Vec<_>>().join(", "))
            }
            _ => name.to_owned(),
        }
    }
}

/// The column whose (nested) field `expr` is, and the path from the leaf up; a column alone has an empty path.
fn root(expr: &Bound, path: &mut Vec<usize>) -> Option<usize> {
    match &expr.kind {
        BoundKind::Column(column) => Some(*column),
        BoundKind::Field { base, index, .. } => {
            path.push(*index);
            let found = root(base, path);
            if found.is_none() {
                path.pop();
            }
            found
        }
        _ => None,
    }
}

/// `expr` over columns of which only `readings` is there.
pub(crate) fn over_narrow(expr: &Bound, readings: &BTreeMap<usize, Reading>) -> Bound {
    place(expr, readings).0
}

fn place<'a>(expr: &Bound, readings: &'a BTreeMap<usize, Reading>) -> (Bound, Option<&'a Reading>) {
    match &expr.kind {
        BoundKind::Column(column) => {
            let reading = readings.get(column);
            let data_type =
                reading.map_or_else(|| expr.data_type.clone(), |r| r.narrowed(&expr.data_type));
            (Bound::column(*column, data_type), reading)
        }
        BoundKind::Field { base, index, name } => {
            let (base, reading) = place(base, readings);
            let Some(Reading::Fields(fields)) = reading else {
                return (Bound::field(base, *index, name, expr.data_type.clone()), None);
            };
            let at = fields.keys().position(|k| k == index).expect("noted as read");
            let inner = &fields[index];
            let data_type = inner.narrowed(&expr.data_type);
            (Bound::field(base, at, name, data_type), Some(inner))
        }
        _ => (expr.map_children(&mut |child| over_narrow(child, readings)), None),
    }
}
