//! Flink's JSON functions. Those with clauses have entry points that the binder calls with the clauses filled in:
//! [`predicate::bind`] (IS JSON), [`exists::bind`], [`value::bind`], [`query::bind`], [`construct::bind_object`] and
//! [`construct::bind_array`]. [`text::JSON`] may be called only inside the constructors.
//! Invariant: a document is read as Jackson reads it and printed as Jackson prints it.

pub mod construct;
pub(crate) mod document;
mod encode;
pub mod exists;
mod lookup;
mod path;
pub mod predicate;
pub(crate) mod print;
pub mod query;
pub mod text;
pub mod value;

use crate::functions::ScalarFunction;

/// The functions of this folder that are called as `NAME(argument, ...)`.
pub static FUNCTIONS: &[&ScalarFunction] =
    &[&text::JSON_STRING, &text::JSON_QUOTE, &text::JSON_UNQUOTE];
