//! GREATEST, LEAST and TYPEOF.
//! Invariant: COALESCE, IFNULL, NULLIF, IF and CASE are not here: the binder compiles them to a lazy CASE.

mod extremes;
mod type_of;

use crate::functions::ScalarFunction;

/// The functions of this folder.
pub static FUNCTIONS: &[&ScalarFunction] =
    &[&extremes::GREATEST, &extremes::LEAST, &type_of::TYPEOF];
