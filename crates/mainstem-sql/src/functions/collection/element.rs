//! `collection[key]`: an element of an array by position (from 1) or a value of a map by key.
//! Invariant: what is not there is NULL; only a constant position below 1 is refused, when it is bound.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::builder::UInt32Builder;
use arrow_select::take::take;
use mainstem_core::{Error, Result, TypeKind};

use super::maps::map_of;
use super::picks::{Lists, comparable};
use super::sets::fits;
use crate::functions::rowwise::{Long, Reader, extent, wrap};
use crate::functions::signature::{Want, constant_integer, expect, mismatch};
use crate::functions::{Argument, Binding, Kernel, variant};

/// `collection[key]`; the kernel's arguments are the collection and the key.
pub fn bind(collection: &Argument, key: &Argument) -> Result<Binding> {
    match &collection.data_type.kind {
        TypeKind::Array(_) => bind_array(&[collection.clone(), key.clone()]),
        TypeKind::Map(..) => bind_map(collection, key),
        TypeKind::Variant => variant::bind_element(collection, key),
        other => Err(Error::user(format!("a value of type {other} has no elements"))
            .with_hint("use [...] on arrays and maps, and a dot on rows")),
    }
}

fn bind_array(arguments: &[Argument]) -> Result<Binding> {
    let types = expect(arguments, &[Want::Array, Want::Integer], 2)?;
    if let Some(Some(position @ ..=0)) = constant_integer(&arguments[1]) {
        return Err(Error::user(format!("the elements of an array start at 1, found {position}")));
    }
    let TypeKind::Array(item) = &types[0].kind else {
        return Err(Error::internal("an array was asked for"));
    };
    let returns = item.with_nullable(true);
    let kernel: Kernel = Arc::new(|values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let lists = Lists::new(&values[0])?;
        let positions = Reader::<Long>::new(&values[1])?;
        let mut places = UInt32Builder::with_capacity(extent);
        for row in 0..extent {
            let place = positions.get(row).filter(|_| !lists.is_null(row)).and_then(|position| {
                let range = lists.range(row);
                let offset = usize::try_from(position - 1).ok().filter(|o| *o < range.len())?;
                Some((range.start + offset) as u32)
            });
            places.append_option(place);
        }
        Ok(wrap(take(lists.elements(), &places.finish(), None)?, scalar))
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

fn bind_map(collection: &Argument, key: &Argument) -> Result<Binding> {
    let TypeKind::Map(key_type, value_type) = &collection.data_type.kind else {
        return Err(Error::internal("a map was asked for"));
    };
    if !fits(&key.data_type, key_type) {
        return Err(mismatch(
            1,
            &format!("of the map's key type {}", key_type.kind),
            &key.data_type,
        ));
    }
    let arguments =
        vec![collection.data_type.clone(), key_type.with_nullable(key.data_type.nullable)];
    let returns = value_type.with_nullable(true);
    let kernel: Kernel = Arc::new(|values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let map = map_of(&values[0])?;
        let [keys, wanted] = comparable([map.keys(), values[1].array()])?;
        let offsets = map.value_offsets();
        let mut places = UInt32Builder::with_capacity(extent);
        for row in 0..extent {
            let map_row = if values[0].is_scalar() { 0 } else { row };
            let key_row = if values[1].is_scalar() { 0 } else { row };
            let mut range = offsets[map_row] as usize..offsets[map_row + 1] as usize;
            let known = map.is_valid(map_row) && values[1].array().is_valid(key_row);
            let place = range.find(|i| known && keys.row(*i) == wanted.row(key_row));
            places.append_option(place.map(|place| place as u32));
        }
        Ok(wrap(take(map.values(), &places.finish(), None)?, scalar))
    });
    Ok(Binding { returns, arguments, kernel, deterministic: true })
}
