//! CAST, TRY_CAST and the casts that the binder puts in by itself.
//! Invariant: a cast is chosen once, from the two types; its kernel keeps scalars scalar and nulls null.

use mainstem_core::{DataType, Error, Result};

use crate::functions::Kernel;
use crate::session::Session;

/// Who asked for the cast, and so what a value that cannot be cast does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CastMode {
    /// CAST: a value that cannot be cast is an error.
    Cast,
    /// TRY_CAST: it becomes NULL.
    Try,
    /// Put in by the binder: as CAST.
    Implicit,
}

/// The cast of `from` to `to`: the type of its result (nullability included) and the code, which takes one value.
pub fn bind(
    from: &DataType,
    to: &DataType,
    mode: CastMode,
    session: &Session,
) -> Result<(DataType, Kernel)> {
    let _ = (mode, session);
    Err(Error::user(format!("unsupported cast from {from} to {to}")))
}
