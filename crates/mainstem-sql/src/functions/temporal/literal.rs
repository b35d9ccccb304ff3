//! The literals DATE '..', TIME '..', TIMESTAMP '..' and INTERVAL '..' unit [TO unit].
//! Invariant: a literal that cannot be read is an error of the statement, never NULL.

use arrow_array::ArrayRef;
use mainstem_core::{DataType, Error, Result};

use super::Unit;

/// `DATE 'text'`: DATE NOT NULL and its value (length 1).
pub fn date(text: &str) -> Result<(DataType, ArrayRef)> {
    Err(Error::user(format!("illegal DATE literal '{text}': not in format 'yyyy-MM-dd'")))
}

/// `TIME 'text'`: TIME(digits of the fraction) NOT NULL.
pub fn time(text: &str) -> Result<(DataType, ArrayRef)> {
    Err(Error::user(format!("illegal TIME literal '{text}': not in format 'HH:mm:ss'")))
}

/// `TIMESTAMP 'text'`: TIMESTAMP(digits of the fraction) NOT NULL.
pub fn timestamp(text: &str) -> Result<(DataType, ArrayRef)> {
    Err(Error::user(format!(
        "illegal TIMESTAMP literal '{text}': not in format 'yyyy-MM-dd HH:mm:ss'"
    )))
}

/// `INTERVAL [-] 'text' from [TO to]`: an interval of one of the two kinds, NOT NULL.
pub fn interval(
    negative: bool,
    text: &str,
    from: Unit,
    to: Option<Unit>,
) -> Result<(DataType, ArrayRef)> {
    let _ = (negative, to);
    Err(Error::user(format!("illegal interval literal '{text}' {from}")))
}
