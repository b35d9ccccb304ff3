//! MAP_KEYS, MAP_VALUES, MAP_ENTRIES, MAP_FROM_ARRAYS, MAP_UNION.
//! Invariant: a map has each key once; of equal keys the last value counts, at the place of the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray};
use arrow_row::Rows;
use arrow_schema::DataType as ArrowType;
use mainstem_core::{DataType, Error, Field, Result, TypeKind};
use mainstem_engine::expr::Value;

use super::picks::{Lists, Picks, comparable};
use crate::coercion::common_type;
use crate::functions::rowwise::{extent, wrap};
use crate::functions::signature::{Want, any_nullable, arity, expect, mismatch};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static MAP_KEYS: ScalarFunction = ScalarFunction {
    name: "MAP_KEYS",
    aliases: &[],
    usage: "MAP_KEYS(map)",
    doc: "The keys of the map.",
    bind: |arguments, _| part(arguments, Part::Keys),
};

pub(super) static MAP_VALUES: ScalarFunction = ScalarFunction {
    name: "MAP_VALUES",
    aliases: &[],
    usage: "MAP_VALUES(map)",
    doc: "The values of the map.",
    bind: |arguments, _| part(arguments, Part::Values),
};

pub(super) static MAP_ENTRIES: ScalarFunction = ScalarFunction {
    name: "MAP_ENTRIES",
    aliases: &[],
    usage: "MAP_ENTRIES(map)",
    doc: "The entries of the map as rows (key, value).",
    bind: |arguments, _| part(arguments, Part::Entries),
};

pub(super) static MAP_FROM_ARRAYS: ScalarFunction = ScalarFunction {
    name: "MAP_FROM_ARRAYS",
    aliases: &[],
    usage: "MAP_FROM_ARRAYS(keys, values)",
    doc: "A map of two arrays of the same length.",
    bind: bind_from_arrays,
};

pub(super) static MAP_UNION: ScalarFunction = ScalarFunction {
    name: "MAP_UNION",
    aliases: &[],
    usage: "MAP_UNION(map, ...)",
    doc: "The entries of all maps; later maps win.",
    bind: bind_union,
};

#[derive(Clone, Copy)]
enum Part {
    Keys,
    Values,
    Entries,
}

fn part(arguments: &[Argument], part: Part) -> Result<Binding> {
    let types = expect(arguments, &[Want::Map], 1)?;
    let TypeKind::Map(key, value) = &types[0].kind else {
        return Err(Error::internal("a map was asked for"));
    };
    let item = match part {
        Part::Keys => (**key).clone(),
        Part::Values => (**value).clone(),
        Part::Entries => {
            let field =
                |name: &str, t: &DataType| Field { name: name.into(), data_type: t.clone() };
            TypeKind::Row(vec![field("key", key), field("value", value)]).nullable()
        }
    };
    let returns = DataType { kind: TypeKind::Array(Box::new(item)), nullable: types[0].nullable };
    let arrow = returns.to_arrow();
    let kernel: Kernel = Arc::new(move |values, _, _| {
        let map = map_of(&values[0])?;
        Ok(wrap(Arc::new(lists(map, part, &arrow)?), values[0].is_scalar()))
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

/// The parts of a map as lists over the same offsets.
fn lists(map: &MapArray, part: Part, arrow: &ArrowType) -> Result<ListArray> {
    let ArrowType::List(field) = arrow else {
        return Err(Error::internal("a part of a map is a list"));
    };
    let elements: ArrayRef = match (part, field.data_type()) {
        (Part::Keys, _) => Arc::clone(map.keys()),
        (Part::Values, _) => Arc::clone(map.values()),
        (Part::Entries, ArrowType::Struct(fields)) => {
            let columns = vec![Arc::clone(map.keys()), Arc::clone(map.values())];
            Arc::new(arrow_array::StructArray::try_new(fields.clone(), columns, None)?)
        }
        _ => return Err(Error::internal("an entry of a map is a row")),
    };
    let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
    Ok(ListArray::try_new(Arc::clone(field), offsets, elements, nulls)?)
}

pub(super) fn map_of(value: &Value) -> Result<&MapArray> {
    let map = value.array().as_map_opt();
    map.ok_or_else(|| Error::internal("a map kernel got another type"))
}

/// Puts pairs into the row that is open, each key once.
pub(super) fn pick_pairs<'r>(
    picks: &mut Picks,
    pairs: impl Iterator<Item = (usize, usize, &'r [u8])>,
) {
    let mut seen: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut kept: Vec<(usize, usize)> = Vec::new();
    for (source, index, key) in pairs {
        match seen.get(key) {
            Some(place) => kept[*place] = (source, index),
            None => {
                seen.insert(key, kept.len());
                kept.push((source, index));
            }
        }
    }
    kept.into_iter().for_each(|(source, index)| picks.pick(source, index));
}

fn bind_from_arrays(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Array, Want::Array], 2)?;
    let (TypeKind::Array(key), TypeKind::Array(value)) = (&types[0].kind, &types[1].kind) else {
        return Err(Error::internal("two arrays were asked for"));
    };
    let kind = TypeKind::Map(key.clone(), value.clone());
    let returns = DataType { kind, nullable: any_nullable(&types) };
    let map = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let (keys, entries) = (Lists::new(&values[0])?, Lists::new(&values[1])?);
        let [bytes] = comparable([keys.elements()])?;
        // Keys and values stand at different places, so the values are picked beside the keys.
        let (mut picks, mut beside) = (Picks::new(extent), Picks::new(extent));
        for row in 0..extent {
            let valid = !keys.is_null(row) && !entries.is_null(row);
            if valid {
                let (from, to) = (keys.range(row), entries.range(row));
                if from.len() != to.len() {
                    return Err(uneven(from.len(), to.len()));
                }
                pick_pairs(&mut picks, from.clone().map(|i| (0, i, bytes.row(i).data())));
                let picked = picks.open().to_vec();
                picked.iter().for_each(|(_, i)| beside.pick(0, i - from.start + to.start));
            }
            picks.close(valid);
            beside.close(valid);
        }
        let keys = [keys.elements().as_ref()];
        let maps = picks.into_maps_beside(beside, &keys, &[entries.elements().as_ref()], &map)?;
        Ok(wrap(maps, scalar))
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}

fn uneven(keys: usize, values: usize) -> Error {
    Error::user(format!("MAP_FROM_ARRAYS got {keys} keys and {values} values"))
        .with_hint("give arrays of the same length")
}

fn bind_union(arguments: &[Argument], _: &Session) -> Result<Binding> {
    arity(arguments.len(), 1, None)?;
    let given: Vec<DataType> = arguments.iter().map(|a| a.data_type.clone()).collect();
    if let Some(index) = given.iter().position(|t| !matches!(t.kind, TypeKind::Map(..))) {
        return Err(mismatch(index, "a map", &given[index]));
    }
    let shared = common_type(&given).ok_or_else(|| {
        Error::user("the maps have no common type").with_hint("CAST them to one type")
    })?;
    let types: Vec<DataType> = given.iter().map(|t| shared.with_nullable(t.nullable)).collect();
    let returns = shared.with_nullable(any_nullable(&types));
    let map = returns.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let maps: Vec<&MapArray> = values.iter().map(map_of).collect::<Result<_>>()?;
        let bytes: Vec<Rows> = maps
            .iter()
            .map(|map| comparable([map.keys()]).map(|[rows]| rows))
            .collect::<Result<_>>()?;
        let mut picks = Picks::new(extent);
        for row in 0..extent {
            let place = |source: usize| if values[source].is_scalar() { 0 } else { row };
            let valid = (0..maps.len()).all(|source| maps[source].is_valid(place(source)));
            if valid {
                let bytes = &bytes;
                let pairs = maps.iter().enumerate().flat_map(|(source, map)| {
                    let offsets = map.value_offsets();
                    let row = place(source);
                    (offsets[row] as usize..offsets[row + 1] as usize)
                        .map(move |i| (source, i, bytes[source].row(i).data()))
                });
                pick_pairs(&mut picks, pairs);
            }
            picks.close(valid);
        }
        let keys: Vec<&dyn Array> = maps.iter().map(|map| map.keys().as_ref()).collect();
        let values: Vec<&dyn Array> = maps.iter().map(|map| map.values().as_ref()).collect();
        Ok(wrap(picks.into_maps(&keys, &values, &map)?, scalar))
    });
    Ok(Binding { returns, arguments: types, kernel, deterministic: true })
}
