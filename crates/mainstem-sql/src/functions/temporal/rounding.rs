//! FLOOR(x TO unit) and CEIL(x TO unit).

use mainstem_core::{Error, Result};

use super::Unit;
use crate::functions::{Argument, Binding};
use crate::session::Session;

/// Which way to round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// FLOOR: to the start of the unit.
    Down,
    /// CEIL: to the start of the next unit, unless at the start of one.
    Up,
}

/// Settles `FLOOR(arg TO unit)` or `CEIL(arg TO unit)`: the type of `arg`.
pub fn bind(
    direction: Direction,
    arg: &Argument,
    unit: Unit,
    session: &Session,
) -> Result<Binding> {
    let _ = session;
    Err(Error::user(format!("cannot round {} {direction:?} to {unit}", arg.data_type)))
}
