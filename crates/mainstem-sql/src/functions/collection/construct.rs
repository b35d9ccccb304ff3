//! `ARRAY[...]`, `MAP[key, value, ...]` and `ROW(...)`.
//! Invariant: elements are cast to their common type; the result is never NULL itself. The fields of a ROW are called
//! `EXPR$0`, `EXPR$1`, ... as in Flink.

use std::sync::Arc;

use arrow_array::{Array, StructArray};
use arrow_row::Rows;
use mainstem_core::types::arrow_fields;
use mainstem_core::{DataType, Error, Field, Result, TypeKind};
use mainstem_engine::expr::Value;

use super::maps::pick_pairs;
use super::picks::{Picks, comparable};
use crate::coercion::common_type;
use crate::functions::rowwise::{extent, wrap};
use crate::functions::{Argument, Binding, Kernel};

/// `ARRAY[element, ...]`.
pub fn array(elements: &[Argument]) -> Result<Binding> {
    let item = shared(elements.iter(), "the elements of an array")?;
    let arguments = vec_of(elements, &item);
    let returns = TypeKind::Array(Box::new(item)).not_null();
    let list = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let mut picks = Picks::new(extent);
        for row in 0..extent {
            (0..values.len()).for_each(|source| picks.pick(source, place(&values[source], row)));
            picks.close(true);
        }
        Ok(wrap(picks.into_lists(&arrays(values.iter()), &list)?, scalar))
    });
    Ok(Binding { returns, arguments, kernel, deterministic: true })
}

/// `MAP[key, value, ...]`; the arguments alternate.
pub fn map(pairs: &[Argument]) -> Result<Binding> {
    if !pairs.len().is_multiple_of(2) {
        return Err(Error::user(format!(
            "a map needs a value for each key, found {} expressions",
            pairs.len()
        ))
        .with_hint("write MAP[key, value, key, value, ...]"));
    }
    let key = shared(pairs.iter().step_by(2), "the keys of a map")?;
    let value = shared(pairs.iter().skip(1).step_by(2), "the values of a map")?;
    let arguments = pairs
        .iter()
        .enumerate()
        .map(|(i, a)| if i % 2 == 0 { &key } else { &value }.with_nullable(a.data_type.nullable))
        .collect();
    let returns = TypeKind::Map(Box::new(key), Box::new(value)).not_null();
    let map = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let bytes: Vec<Rows> = values
            .iter()
            .step_by(2)
            .map(|keys| comparable([keys.array()]).map(|[rows]| rows))
            .collect::<Result<_>>()?;
        let (mut picks, mut beside) = (Picks::new(extent), Picks::new(extent));
        for row in 0..extent {
            let key = |source: usize| place(&values[source * 2], row);
            let pairs = bytes
                .iter()
                .enumerate()
                .map(|(source, rows)| (source, key(source), rows.row(key(source)).data()));
            pick_pairs(&mut picks, pairs);
            let picked = picks.open().to_vec();
            picked.iter().for_each(|(source, _)| {
                beside.pick(*source, place(&values[source * 2 + 1], row));
            });
            picks.close(true);
            beside.close(true);
        }
        let keys = arrays(values.iter().step_by(2));
        let entries = arrays(values.iter().skip(1).step_by(2));
        Ok(wrap(picks.into_maps_beside(beside, &keys, &entries, &map)?, scalar))
    });
    Ok(Binding { returns, arguments, kernel, deterministic: true })
}

/// `ROW(value, ...)`.
pub fn row(values: &[Argument]) -> Result<Binding> {
    if values.is_empty() {
        return Err(Error::user("a row needs at least one value"));
    }
    let arguments: Vec<DataType> = values.iter().map(|a| a.data_type.clone()).collect();
    if let Some(index) = arguments.iter().position(|t| t.kind == TypeKind::Null) {
        return Err(Error::user(format!("value {} of the row is NULL without a type", index + 1))
            .with_hint("write CAST(NULL AS type)"));
    }
    let fields: Vec<Field> = arguments
        .iter()
        .enumerate()
        .map(|(i, t)| Field { name: format!("EXPR${i}"), data_type: t.clone() })
        .collect();
    let arrow = arrow_fields(&fields);
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let columns =
            values.iter().map(|v| v.clone().into_array(extent)).collect::<Result<Vec<_>>>()?;
        Ok(wrap(Arc::new(StructArray::try_new(arrow.clone(), columns, None)?), scalar))
    });
    let returns = TypeKind::Row(fields).not_null();
    Ok(Binding { returns, arguments, kernel, deterministic: true })
}

fn shared<'a>(arguments: impl Iterator<Item = &'a Argument>, what: &str) -> Result<DataType> {
    let types: Vec<DataType> = arguments.map(|a| a.data_type.clone()).collect();
    if types.is_empty() {
        return Err(Error::user(format!("{what} must be given, their type follows from them"))
            .with_hint("write at least one"));
    }
    common_type(&types).ok_or_else(|| {
        Error::user(format!("{what} have no common type")).with_hint("CAST them to one type")
    })
}

fn vec_of(arguments: &[Argument], data_type: &DataType) -> Vec<DataType> {
    arguments.iter().map(|a| data_type.with_nullable(a.data_type.nullable)).collect()
}

fn place(value: &Value, row: usize) -> usize {
    if value.is_scalar() { 0 } else { row }
}

fn arrays<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<&'a dyn Array> {
    values.map(|value| value.array().as_ref()).collect()
}
