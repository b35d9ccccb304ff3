//! Flink's collection functions. `collection[key]` and the constructors have entry points for the binder:
//! [`element::bind`], [`construct::array`], [`construct::map`], [`construct::row`].
//! Invariant: elements compare by the Arrow row format, so NULL equals NULL and NaN equals NaN. CARDINALITY of an
//! empty collection is 0, of NULL it is NULL.

mod arrays;
pub mod construct;
pub mod element;
mod maps;
mod picks;
mod reduce;
mod sets;

use crate::functions::ScalarFunction;

/// The functions of this folder that are called as `NAME(argument, ...)`.
pub static FUNCTIONS: &[&ScalarFunction] = &[
    &arrays::ARRAY_APPEND,
    &arrays::ARRAY_PREPEND,
    &arrays::ARRAY_CONCAT,
    &arrays::ARRAY_REVERSE,
    &arrays::ARRAY_SLICE,
    &arrays::ARRAY_SORT,
    &maps::MAP_KEYS,
    &maps::MAP_VALUES,
    &maps::MAP_ENTRIES,
    &maps::MAP_FROM_ARRAYS,
    &maps::MAP_UNION,
    &reduce::CARDINALITY,
    &reduce::ELEMENT,
    &reduce::ARRAY_MAX,
    &reduce::ARRAY_MIN,
    &reduce::ARRAY_JOIN,
    &sets::ARRAY_CONTAINS,
    &sets::ARRAY_POSITION,
    &sets::ARRAY_REMOVE,
    &sets::ARRAY_DISTINCT,
    &sets::ARRAY_UNION,
    &sets::ARRAY_EXCEPT,
    &sets::ARRAY_INTERSECT,
];
