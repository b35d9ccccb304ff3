//! TIMESTAMPADD(unit, count, x).

use mainstem_core::{Error, Result};

use super::Unit;
use crate::functions::{Argument, Binding};
use crate::session::Session;

/// Settles `TIMESTAMPADD(unit, count, point)`; the binding takes `count` and `point`.
pub fn bind(unit: Unit, count: &Argument, point: &Argument, session: &Session) -> Result<Binding> {
    let _ = session;
    Err(Error::user(format!("cannot add {} {unit} to {}", count.data_type, point.data_type)))
}
