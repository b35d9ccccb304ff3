//! How watermarks go on without rows: idle splits, and, if asked, the clock (docs/adr/0012).
//! Invariant: the clock moves no watermark of a table that ends: answers over bounded inputs do not depend on it.

use mainstem_core::options::parse_duration_ms;
use mainstem_core::table::Options;

use super::Lowering;
use crate::error::{SqlError, SqlResult};
use crate::optimize::bounded::ends;
use crate::source::Span;

/// How long a source may be without rows until its watermark goes on with the clock; 0, the default, is for ever.
pub(crate) const CLOCK_AFTER: &str = "mainstem.watermark.clock-after";

/// What a value of [`CLOCK_AFTER`], set at `span`, says.
pub(crate) fn clock_after(value: &str, span: Span) -> SqlResult<Option<i64>> {
    let ms = parse_duration_ms(CLOCK_AFTER, value).map_err(|e| SqlError::from_core(&e, span))?;
    Ok((ms > 0).then_some(ms))
}

impl Lowering<'_> {
    /// When a split without rows does not hold the others back any more.
    pub(super) fn idle_timeout(&self, options: &Options) -> SqlResult<Option<i64>> {
        let (name, value) = match options.get("scan.watermark.idle-timeout") {
            Some(value) => ("scan.watermark.idle-timeout", value),
            None => match self.settings.get("table.exec.source.idle-timeout") {
                Some(value) => ("table.exec.source.idle-timeout", value),
                None => return Ok(None),
            },
        };
        let ms =
            parse_duration_ms(name, value).map_err(|e| SqlError::from_core(&e, Span::default()))?;
        Ok((ms > 0).then_some(ms))
    }

    /// When the watermark of a table without rows goes on with the clock.
    pub(super) fn clock_after(&self, options: &Options) -> SqlResult<Option<i64>> {
        match self.settings.get(CLOCK_AFTER) {
            Some(value) if !ends(options, self.connectors) => clock_after(value, Span::default()),
            _ => Ok(None),
        }
    }
}
