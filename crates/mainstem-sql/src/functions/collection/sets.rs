//! Functions that compare elements: ARRAY_CONTAINS, _POSITION, _REMOVE, _DISTINCT, _UNION, _EXCEPT, _INTERSECT.
//! Invariant: NULL equals NULL among elements; results keep the order of first appearance and hold each element once
//! (ARRAY_REMOVE keeps duplicates).

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::builder::{BooleanBuilder, Int32Builder};
use arrow_row::Rows;
use mainstem_core::{DataType, Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use super::picks::{Lists, Picks, comparable};
use crate::coercion::{common_type, implicit_cast_allowed};
use crate::functions::rowwise::{Sink, extent, wrap};
use crate::functions::signature::{Want, any_nullable, arity, expect, mismatch};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static ARRAY_CONTAINS: ScalarFunction = ScalarFunction {
    name: "ARRAY_CONTAINS",
    aliases: &[],
    usage: "ARRAY_CONTAINS(array, element)",
    doc: "Whether the element is in the array; NULL is found if it is there.",
    bind: bind_contains,
};

pub(super) static ARRAY_POSITION: ScalarFunction = ScalarFunction {
    name: "ARRAY_POSITION",
    aliases: &[],
    usage: "ARRAY_POSITION(array, element)",
    doc: "The position (from 1) of the element in the array, 0 if it is not there.",
    bind: bind_position,
};

pub(super) static ARRAY_REMOVE: ScalarFunction = ScalarFunction {
    name: "ARRAY_REMOVE",
    aliases: &[],
    usage: "ARRAY_REMOVE(array, element)",
    doc: "The array without the elements that are equal to the given one.",
    bind: bind_remove,
};

pub(super) static ARRAY_DISTINCT: ScalarFunction = ScalarFunction {
    name: "ARRAY_DISTINCT",
    aliases: &[],
    usage: "ARRAY_DISTINCT(array)",
    doc: "The array with each element once.",
    bind: bind_distinct,
};

pub(super) static ARRAY_UNION: ScalarFunction = ScalarFunction {
    name: "ARRAY_UNION",
    aliases: &[],
    usage: "ARRAY_UNION(array1, array2)",
    doc: "The elements of either array, each once.",
    bind: |arguments, _| combine(arguments, Set::Union),
};

pub(super) static ARRAY_EXCEPT: ScalarFunction = ScalarFunction {
    name: "ARRAY_EXCEPT",
    aliases: &[],
    usage: "ARRAY_EXCEPT(array1, array2)",
    doc: "The elements of the first array that are not in the second, each once.",
    bind: |arguments, _| combine(arguments, Set::Except),
};

pub(super) static ARRAY_INTERSECT: ScalarFunction = ScalarFunction {
    name: "ARRAY_INTERSECT",
    aliases: &[],
    usage: "ARRAY_INTERSECT(array1, array2)",
    doc: "The elements that are in both arrays, each once.",
    bind: |arguments, _| combine(arguments, Set::Intersect),
};

/// The types of an array and of something like its elements.
pub(super) fn array_and_element(arguments: &[Argument]) -> Result<(Vec<DataType>, DataType)> {
    let mut types = expect(arguments, &[Want::Array, Want::Any], 2)?;
    let TypeKind::Array(item) = &types[0].kind else {
        return Err(Error::internal("an array was asked for"));
    };
    let (item, element) = ((**item).clone(), &types[1]);
    if !fits(element, &item) {
        return Err(mismatch(1, &format!("of the array's element type {}", item.kind), element));
    }
    types[1] = DataType { kind: item.kind.clone(), nullable: element.nullable };
    Ok((types, item))
}

/// True if a value of type `from` can stand for an element or key of type `to`. Lengths of strings do not matter.
pub(super) fn fits(from: &DataType, to: &DataType) -> bool {
    let strings = from.kind.is_string() && to.kind.is_string();
    let binary = from.kind.is_binary() && to.kind.is_binary();
    strings || binary || implicit_cast_allowed(from, &to.with_nullable(true))
}

/// The needle of each row, as comparable bytes beside the elements of the lists.
struct Search<'a> {
    lists: Lists<'a>,
    elements: Rows,
    needle: Rows,
    needles: &'a Value,
}

impl<'a> Search<'a> {
    fn new(values: &'a [Value]) -> Result<Self> {
        let lists = Lists::new(&values[0])?;
        let [elements, needle] = comparable([lists.elements(), values[1].array()])?;
        Ok(Self { lists, elements, needle, needles: &values[1] })
    }

    fn place(&self, row: usize) -> usize {
        if self.needles.is_scalar() { 0 } else { row }
    }

    fn is_equal(&self, element: usize, row: usize) -> bool {
        self.elements.row(element) == self.needle.row(self.place(row))
    }
}

fn bind_contains(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let (types, _) = array_and_element(arguments)?;
    let kernel: Kernel = Arc::new(|values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let search = Search::new(values)?;
        let mut out = BooleanBuilder::with_rows(extent);
        for row in 0..extent {
            let found = || search.lists.range(row).any(|i| search.is_equal(i, row));
            out.append_option((!search.lists.is_null(row)).then(found));
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    let returns = DataType { kind: TypeKind::Boolean, nullable: types[0].nullable };
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

fn bind_position(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let (types, _) = array_and_element(arguments)?;
    let kernel: Kernel = Arc::new(|values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let search = Search::new(values)?;
        let mut out = Int32Builder::with_rows(extent);
        for row in 0..extent {
            if search.lists.is_null(row) || search.needles.array().is_null(search.place(row)) {
                out.append_null();
                continue;
            }
            let position = search.lists.range(row).position(|i| search.is_equal(i, row));
            out.append_value(position.map_or(0, |position| position as i32 + 1));
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    let returns = DataType { kind: TypeKind::Int, nullable: any_nullable(&types) };
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

fn bind_remove(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let (types, _) = array_and_element(arguments)?;
    let returns = types[0].clone();
    let list = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let search = Search::new(values)?;
        let mut picks = Picks::new(extent);
        for row in 0..extent {
            let null = search.lists.is_null(row);
            if !null {
                let kept = search.lists.range(row).filter(|i| !search.is_equal(*i, row));
                kept.for_each(|i| picks.pick(0, i));
            }
            picks.close(!null);
        }
        Ok(wrap(picks.into_lists(&[search.lists.elements().as_ref()], &list)?, scalar))
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

fn bind_distinct(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Array], 1)?;
    let returns = types[0].clone();
    let list = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let lists = Lists::new(&values[0])?;
        let [elements] = comparable([lists.elements()])?;
        let mut picks = Picks::new(extent);
        for row in 0..extent {
            if !lists.is_null(row) {
                let mut seen = Seen::default();
                for i in lists.range(row) {
                    if seen.insert(elements.row(i).data()) {
                        picks.pick(0, i);
                    }
                }
            }
            picks.close(!lists.is_null(row));
        }
        Ok(wrap(picks.into_lists(&[lists.elements().as_ref()], &list)?, scalar))
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

type Seen<'a> = std::collections::BTreeSet<&'a [u8]>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    Union,
    Except,
    Intersect,
}

fn combine(arguments: &[Argument], set: Set) -> Result<Binding> {
    arity(arguments.len(), 2, Some(2))?;
    let (types, shared) = common_arrays(arguments)?;
    let returns = DataType { kind: shared.kind.clone(), nullable: any_nullable(&types) };
    let list = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let (left, right) = (Lists::new(&values[0])?, Lists::new(&values[1])?);
        let [ours, theirs] = comparable([left.elements(), right.elements()])?;
        let mut picks = Picks::new(extent);
        for row in 0..extent {
            let valid = !left.is_null(row) && !right.is_null(row);
            if valid {
                let other: Seen<'_> = right.range(row).map(|i| theirs.row(i).data()).collect();
                let mut seen = Seen::default();
                for i in left.range(row) {
                    let element = ours.row(i).data();
                    let wanted = match set {
                        Set::Union => true,
                        Set::Except => !other.contains(element),
                        Set::Intersect => other.contains(element),
                    };
                    if wanted && seen.insert(element) {
                        picks.pick(0, i);
                    }
                }
                if set == Set::Union {
                    let new = right.range(row).filter(|i| seen.insert(theirs.row(*i).data()));
                    new.for_each(|i| picks.pick(1, i));
                }
            }
            picks.close(valid);
        }
        let sources = [left.elements().as_ref(), right.elements().as_ref()];
        Ok(wrap(picks.into_lists(&sources, &list)?, scalar))
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

/// All arguments are arrays; each is cast to the type they share.
pub(super) fn common_arrays(arguments: &[Argument]) -> Result<(Vec<DataType>, DataType)> {
    let given: Vec<DataType> = arguments.iter().map(|a| a.data_type.clone()).collect();
    for (index, data_type) in given.iter().enumerate() {
        if !matches!(data_type.kind, TypeKind::Array(_)) {
            return Err(mismatch(index, "an array", data_type));
        }
    }
    let shared = common_type(&given).ok_or_else(|| {
        Error::user("the arrays have no common element type").with_hint("CAST them to one type")
    })?;
    let types = given.iter().map(|t| shared.with_nullable(t.nullable)).collect();
    Ok((types, shared))
}
