//! The scalar functions of Flink SQL. One file a function or close family, one line in its folder's list.
//! Invariant: a function is bound once (types, constants, patterns) and then called a batch at a time; kernels keep
//! no state and see time only through `EvalContext`.

pub mod bitmap;
pub mod collection;
pub mod conditional;
pub mod flink_catalogue;
pub mod hash;
mod java_number;
pub mod json;
pub mod math;
pub(crate) mod rowwise;
mod signature;
pub mod string;
pub mod temporal;
#[cfg(test)]
mod tests;
pub mod user;
pub mod variant;

use std::fmt;
use std::sync::Arc;

use arrow_array::ArrayRef;
use mainstem_core::{DataType, Result};
use mainstem_engine::expr::{EvalContext, Value};

use crate::session::Session;

/// An argument as the binder knows it.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its type before coercion.
    pub data_type: DataType,
    /// Its value (length 1), if it is a constant.
    pub literal: Option<ArrayRef>,
}

/// A compiled call: arguments in (coerced as [`Binding::arguments`] says), one value out. `rows` is the batch's
/// length; a kernel returns `Value::Scalar` when all its inputs are scalars and it depends on nothing else.
pub type Kernel = Arc<dyn Fn(&[Value], usize, &EvalContext) -> Result<Value> + Send + Sync>;

/// A function with its argument types settled.
#[derive(Clone)]
pub struct Binding {
    /// The type of the result, nullability included.
    pub returns: DataType,
    /// What each argument is implicitly cast to before the kernel sees it.
    pub arguments: Vec<DataType>,
    /// The code.
    pub kernel: Kernel,
    /// False for RAND(), UUID() and the like: never folded, never shared.
    pub deterministic: bool,
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding").field("returns", &self.returns).finish_non_exhaustive()
    }
}

/// A scalar function of the catalogue.
pub struct ScalarFunction {
    /// Upper case, as Flink documents it.
    pub name: &'static str,
    /// Other names for it, upper case.
    pub aliases: &'static [&'static str],
    /// How it is called, for errors and docs: `SUBSTRING(string, start [, length])`.
    pub usage: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Settles types. An error of kind `User` says which argument does not fit; the binder adds place and usage.
    pub bind: fn(&[Argument], &Session) -> Result<Binding>,
}

impl fmt::Debug for ScalarFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every function that is called as `NAME(argument, ...)`, in no particular order.
pub fn all() -> impl Iterator<Item = &'static ScalarFunction> {
    let folders = [
        string::FUNCTIONS,
        math::FUNCTIONS,
        conditional::FUNCTIONS,
        hash::FUNCTIONS,
        json::FUNCTIONS,
        collection::FUNCTIONS,
        temporal::FUNCTIONS,
        bitmap::FUNCTIONS,
        variant::FUNCTIONS,
    ];
    folders.into_iter().flatten().copied()
}

/// True for a name that Flink's functions have, whether it works here or not.
pub fn is_built_in(upper: &str) -> bool {
    let listed = |names: &[&str]| names.iter().any(|name| name.split('(').next() == Some(upper));
    lookup(upper).is_some() || flink_catalogue::CATALOGUE.iter().any(|(_, names)| listed(names))
}

/// The function with this name or alias, in whatever case it is written. A scan: it runs once a call site.
pub fn lookup(name: &str) -> Option<&'static ScalarFunction> {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    all().find(|f| is(f.name) || f.aliases.iter().any(|alias| is(alias)))
}
