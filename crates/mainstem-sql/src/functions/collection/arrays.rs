//! Functions that move elements about: ARRAY_APPEND, _PREPEND, _CONCAT, _REVERSE, _SLICE, _SORT.
//! Invariant: NULL arrays give NULL; positions count from 1, negative ones from the end.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_ord::sort::{SortOptions, sort_to_indices};
use mainstem_core::{DataType, Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use super::picks::{Lists, Picks};
use super::sets::{array_and_element, common_arrays};
use crate::functions::rowwise::{Flag, Long, Reader, extent, wrap};
use crate::functions::signature::{Want, any_nullable, arity, expect};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static ARRAY_APPEND: ScalarFunction = ScalarFunction {
    name: "ARRAY_APPEND",
    aliases: &[],
    usage: "ARRAY_APPEND(array, element)",
    doc: "The array with the element at its end.",
    bind: |arguments, _| add(arguments, false),
};

pub(super) static ARRAY_PREPEND: ScalarFunction = ScalarFunction {
    name: "ARRAY_PREPEND",
    aliases: &[],
    usage: "ARRAY_PREPEND(array, element)",
    doc: "The array with the element at its start.",
    bind: |arguments, _| add(arguments, true),
};

pub(super) static ARRAY_CONCAT: ScalarFunction = ScalarFunction {
    name: "ARRAY_CONCAT",
    aliases: &[],
    usage: "ARRAY_CONCAT(array, ...)",
    doc: "The arrays one after the other; NULL if any is NULL.",
    bind: bind_concat,
};

pub(super) static ARRAY_REVERSE: ScalarFunction = ScalarFunction {
    name: "ARRAY_REVERSE",
    aliases: &[],
    usage: "ARRAY_REVERSE(array)",
    doc: "The elements in reverse order.",
    bind: bind_reverse,
};

pub(super) static ARRAY_SLICE: ScalarFunction = ScalarFunction {
    name: "ARRAY_SLICE",
    aliases: &[],
    usage: "ARRAY_SLICE(array, start [, end])",
    doc: "The elements from position start to position end, both included.",
    bind: bind_slice,
};

pub(super) static ARRAY_SORT: ScalarFunction = ScalarFunction {
    name: "ARRAY_SORT",
    aliases: &[],
    usage: "ARRAY_SORT(array [, ascending [, nulls_first]])",
    doc: "The elements in order, by default ascending; NULLs come first when ascending.",
    bind: bind_sort,
};

/// A kernel over the lists of the first argument that gives lists of the same type.
fn same_lists(
    list: DataType,
    row: impl Fn(&Lists<'_>, &[Value], usize, &mut Picks) -> Result<bool> + Send + Sync + 'static,
) -> Kernel {
    Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let lists = Lists::new(&values[0])?;
        let mut picks = Picks::new(extent);
        for i in 0..extent {
            let valid = !lists.is_null(i) && row(&lists, values, i, &mut picks)?;
            picks.close(valid);
        }
        Ok(wrap(picks.into_lists(&[lists.elements().as_ref()], &list)?, scalar))
    })
}

fn add(arguments: &[Argument], front: bool) -> Result<Binding> {
    let (types, mut item) = array_and_element(arguments)?;
    item.nullable |= types[1].nullable;
    let returns =
        DataType { kind: TypeKind::Array(Box::new(item)), nullable: any_nullable(&types) };
    let list = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let lists = Lists::new(&values[0])?;
        let mut picks = Picks::new(extent);
        for row in 0..extent {
            if !lists.is_null(row) {
                let element = if values[1].is_scalar() { 0 } else { row };
                if front {
                    picks.pick(1, element);
                }
                lists.range(row).for_each(|i| picks.pick(0, i));
                if !front {
                    picks.pick(1, element);
                }
            }
            picks.close(!lists.is_null(row));
        }
        let sources = [lists.elements().as_ref(), values[1].array().as_ref()];
        Ok(wrap(picks.into_lists(&sources, &list)?, scalar))
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

fn bind_concat(arguments: &[Argument], _: &Session) -> Result<Binding> {
    arity(arguments.len(), 1, None)?;
    let (types, shared) = common_arrays(arguments)?;
    let returns = shared.with_nullable(any_nullable(&types));
    let list = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let parts: Vec<Lists<'_>> = values.iter().map(Lists::new).collect::<Result<_>>()?;
        let mut picks = Picks::new(extent);
        for row in 0..extent {
            let valid = parts.iter().all(|part| !part.is_null(row));
            for (source, part) in parts.iter().enumerate().filter(|_| valid) {
                part.range(row).for_each(|i| picks.pick(source, i));
            }
            picks.close(valid);
        }
        let sources: Vec<&dyn Array> = parts.iter().map(|part| part.elements().as_ref()).collect();
        Ok(wrap(picks.into_lists(&sources, &list)?, scalar))
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

fn bind_reverse(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Array], 1)?;
    let returns = types[0].clone();
    let kernel = same_lists(returns.clone(), |lists, _, row, picks| {
        lists.range(row).rev().for_each(|i| picks.pick(0, i));
        Ok(true)
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

fn bind_slice(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Array, Want::Integer, Want::Integer], 2)?;
    let returns = types[0].with_nullable(any_nullable(&types));
    let kernel = same_lists(returns.clone(), |lists, values, row, picks| {
        let start = Reader::<Long>::new(&values[1])?.get(row);
        let end = match values.get(2) {
            Some(end) => Reader::<Long>::new(end)?.get(row),
            None => Some(-1),
        };
        let (Some(start), Some(end)) = (start, end) else { return Ok(false) };
        let range = lists.range(row);
        slice(start, end, range.len()).for_each(|i| picks.pick(0, range.start + i));
        Ok(true)
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

/// Position 0 is read as 1; a start before the array is its start, an end after it its end.
fn slice(start: i64, end: i64, length: usize) -> std::ops::Range<usize> {
    let length = length as i64;
    let from_one = |position: i64| match position {
        ..0 => position.saturating_add(length + 1),
        0 => 1,
        _ => position,
    };
    let (start, end) = (from_one(start).max(1), from_one(end).min(length));
    if start > end { 0..0 } else { start as usize - 1..end as usize }
}

fn bind_sort(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Array, Want::Boolean, Want::Boolean], 1)?;
    if let TypeKind::Array(item) = &types[0].kind
        && !is_sortable(&item.kind)
    {
        let message = format!("elements of type {} have no order", item.kind);
        return Err(Error::user(message).with_hint("sort arrays of scalar values only"));
    }
    let returns = types[0].with_nullable(any_nullable(&types));
    let kernel = same_lists(returns.clone(), |lists, values, row, picks| {
        let flag = |index: usize| match values.get(index) {
            Some(value) => Ok::<_, Error>(Some(Reader::<Flag>::new(value)?.get(row))),
            None => Ok(None),
        };
        let (Some(ascending), nulls) = (flag(1)?.unwrap_or(Some(true)), flag(2)?) else {
            return Ok(false);
        };
        let Some(nulls_first) = nulls.unwrap_or(Some(ascending)) else { return Ok(false) };
        let range = lists.range(row);
        let part: ArrayRef = lists.elements().slice(range.start, range.len());
        let options = SortOptions { descending: !ascending, nulls_first };
        let order = sort_to_indices(&part, Some(options), None)?;
        order.values().iter().for_each(|i| picks.pick(0, range.start + *i as usize));
        Ok(true)
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

pub(super) fn is_sortable(kind: &TypeKind) -> bool {
    !matches!(
        kind,
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) | TypeKind::Row(_)
    )
}
