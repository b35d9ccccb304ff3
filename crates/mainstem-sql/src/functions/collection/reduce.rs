//! Functions that make one value of a collection: CARDINALITY, ELEMENT, ARRAY_MAX, ARRAY_MIN, ARRAY_JOIN.
//! Invariant: NULL elements are passed over; an array of nothing else has neither greatest nor least element.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, StringBuilder, UInt32Builder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_ord::ord::make_comparator;
use arrow_schema::SortOptions;
use arrow_select::take::take;
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::arrays::is_sortable;
use super::picks::Lists;
use crate::functions::rowwise::{Reader, Sink, Text, extent, wrap};
use crate::functions::signature::{Want, any_nullable, arity, expect, mismatch};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static CARDINALITY: ScalarFunction = ScalarFunction {
    name: "CARDINALITY",
    aliases: &[],
    usage: "CARDINALITY(array or map)",
    doc: "How many elements or entries the collection has.",
    bind: bind_cardinality,
};

pub(super) static ELEMENT: ScalarFunction = ScalarFunction {
    name: "ELEMENT",
    aliases: &[],
    usage: "ELEMENT(array)",
    doc: "The only element of the array; NULL if it is empty, an error if it has more.",
    bind: bind_element,
};

pub(super) static ARRAY_MAX: ScalarFunction = ScalarFunction {
    name: "ARRAY_MAX",
    aliases: &[],
    usage: "ARRAY_MAX(array)",
    doc: "The greatest element of the array.",
    bind: |arguments, _| extreme(arguments, std::cmp::Ordering::Greater),
};

pub(super) static ARRAY_MIN: ScalarFunction = ScalarFunction {
    name: "ARRAY_MIN",
    aliases: &[],
    usage: "ARRAY_MIN(array)",
    doc: "The least element of the array.",
    bind: |arguments, _| extreme(arguments, std::cmp::Ordering::Less),
};

pub(super) static ARRAY_JOIN: ScalarFunction = ScalarFunction {
    name: "ARRAY_JOIN",
    aliases: &[],
    usage: "ARRAY_JOIN(array, delimiter [, null_replacement])",
    doc: "The strings of the array with the delimiter between them; NULLs are left out or replaced.",
    bind: bind_join,
};

fn bind_cardinality(arguments: &[Argument], _: &Session) -> Result<Binding> {
    arity(arguments.len(), 1, Some(1))?;
    let given = &arguments[0].data_type;
    if !matches!(given.kind, TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_)) {
        return Err(mismatch(0, "an array or a map", given));
    }
    let kernel: Kernel = Arc::new(|values, _, _| {
        let array = values[0].array();
        let length = |offsets: &[i32], row: usize| offsets[row + 1] - offsets[row];
        let mut out = Int32Builder::with_rows(array.len());
        for row in 0..array.len() {
            let count = match array.as_map_opt() {
                Some(map) => length(map.value_offsets(), row),
                None => length(array.as_list::<i32>().value_offsets(), row),
            };
            out.append_option(array.is_valid(row).then_some(count));
        }
        Ok(wrap(Sink::finish(out), values[0].is_scalar()))
    });
    let returns = DataType { kind: TypeKind::Int, nullable: given.nullable };
    Ok(Binding { returns, arguments: vec![given.clone()], kernel, deterministic: true })
}

/// A kernel that takes one element of each list, the one that `choose` names among those at the range.
fn choose_element(
    choose: impl Fn(&ArrayRef, &mut dyn FnMut(&Chooser<'_>) -> Result<()>) -> Result<()>
    + Send
    + Sync
    + 'static,
) -> Kernel {
    Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let lists = Lists::new(&values[0])?;
        let mut places = UInt32Builder::with_capacity(extent);
        choose(lists.elements(), &mut |choose| {
            for row in 0..extent {
                let place = if lists.is_null(row) { None } else { choose(lists.range(row))? };
                places.append_option(place.map(|place| place as u32));
            }
            Ok(())
        })?;
        Ok(wrap(take(lists.elements(), &places.finish(), None)?, scalar))
    })
}

/// Names an element of the range, if there is one to name.
type Chooser<'c> = dyn Fn(Range<usize>) -> Result<Option<usize>> + 'c;

fn item_binding(types: Vec<DataType>, kernel: Kernel) -> Result<Binding> {
    let TypeKind::Array(item) = &types[0].kind else {
        return Err(Error::internal("an array was asked for"));
    };
    let returns = item.with_nullable(true);
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

fn bind_element(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Array], 1)?;
    let kernel = choose_element(|_, run| {
        run(&|range| match range.len() {
            0 => Ok(None),
            1 => Ok(Some(range.start)),
            n => Err(Error::user(format!("ELEMENT got an array of {n} elements"))
                .with_hint("use array[1] for the first of several elements")),
        })
    });
    item_binding(types, kernel)
}

fn extreme(arguments: &[Argument], wanted: std::cmp::Ordering) -> Result<Binding> {
    let types = expect(arguments, &[Want::Array], 1)?;
    if let TypeKind::Array(item) = &types[0].kind
        && !is_sortable(&item.kind)
    {
        return Err(Error::user(format!("elements of type {} have no order", item.kind))
            .with_hint("use arrays of scalar values"));
    }
    let kernel = choose_element(move |elements, run| {
        let compare = make_comparator(elements, elements, SortOptions::default())?;
        run(&|range| {
            let valid = range.filter(|i| elements.is_valid(*i));
            Ok(valid.reduce(|best, i| if compare(i, best) == wanted { i } else { best }))
        })
    });
    item_binding(types, kernel)
}

fn bind_join(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Array, Want::Text, Want::Text], 2)?;
    if !matches!(&types[0].kind, TypeKind::Array(item) if item.kind.is_string()) {
        return Err(mismatch(0, "an array of strings", &types[0]));
    }
    let nullable = any_nullable(&types);
    let kernel: Kernel = Arc::new(|values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let lists = Lists::new(&values[0])?;
        let texts = lists.elements().as_string::<i32>();
        let delimiters = Reader::<Text>::new(&values[1])?;
        let replacements = values.get(2).map(Reader::<Text>::new).transpose()?;
        let mut out = StringBuilder::with_rows(extent);
        for row in 0..extent {
            let replacement = replacements.as_ref().map(|r| r.get(row));
            let (false, Some(delimiter)) = (lists.is_null(row), delimiters.get(row)) else {
                out.append_null();
                continue;
            };
            if replacement == Some(None) {
                out.append_null();
                continue;
            }
            let texts = lists.range(row).filter_map(|i| {
                if texts.is_valid(i) { Some(texts.value(i)) } else { replacement.flatten() }
            });
            for (index, text) in texts.enumerate() {
                // Writing into a builder cannot fail.
                if index > 0 {
                    let _ = out.write_str(delimiter);
                }
                let _ = out.write_str(text);
            }
            out.append_value("");
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    let returns = DataType { kind: TypeKind::STRING, nullable };
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}
