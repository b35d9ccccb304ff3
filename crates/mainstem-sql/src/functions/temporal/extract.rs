//! EXTRACT(unit FROM x) and its short names YEAR(x), MONTH(x), ...

use mainstem_core::{Error, Result};

use super::Unit;
use crate::functions::{Argument, Binding};
use crate::session::Session;

/// Settles `EXTRACT(unit FROM arg)`: BIGINT.
pub fn bind(unit: Unit, arg: &Argument, session: &Session) -> Result<Binding> {
    let _ = session;
    Err(Error::user(format!("cannot extract {unit} from {}", arg.data_type)))
}
