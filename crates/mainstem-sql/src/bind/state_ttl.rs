//! The hint STATE_TTL('table' = 'duration') of a query: how long its own groups are kept without rows.
//! Invariant: the hint names the one table of the query's FROM, and the query groups it; joins, which would have a
//! duration for each input, and DISTINCT are refused.

use mainstem_core::options::parse_duration_ms;

use super::Binder;
use crate::ast::{Select, TableRef};
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelKind};

impl Binder<'_> {
    /// `rel`, the aggregation of `select`, with the time to live that its hint says.
    pub(super) fn with_state_ttl(&self, rel: Rel, select: &Select) -> SqlResult<Rel> {
        let Some((table, value)) = select.state_ttl.first() else { return Ok(rel) };
        let named = match &select.from {
            Some(TableRef::Table { name, alias, .. }) => {
                Some(alias.as_ref().map_or(&name.last().value, |alias| &alias.name.value))
            }
            Some(TableRef::Derived { alias: Some(alias), .. }) => Some(&alias.name.value),
            _ => None,
        };
        if named.is_none() || select.state_ttl.len() > 1 {
            return Err(SqlError::unsupported("STATE_TTL of joins", table.span)
                .with_hint("SET 'table.exec.state.ttl' = '1 h' holds for all groups of the job"));
        }
        if named != Some(&table.value) {
            let message = format!("STATE_TTL names '{}', which is not in FROM", table.value);
            return Err(SqlError::new(message, table.span));
        }
        let ttl_ms = parse_duration_ms("STATE_TTL", &value.value)
            .map_err(|e| SqlError::from_core(&e, value.span))?;
        let fields = rel.fields.clone();
        Ok(Rel { kind: RelKind::StateTtl { input: Box::new(rel), ttl_ms }, fields })
    }

    /// Refuses the hint where nothing is grouped.
    pub(super) fn check_state_ttl(&self, select: &Select, aggregated: bool) -> SqlResult<()> {
        match select.state_ttl.first() {
            Some((table, _)) if !aggregated || select.distinct => {
                Err(SqlError::unsupported("STATE_TTL of anything but GROUP BY", table.span)
                    .with_hint("leave it out, or SET 'table.exec.state.ttl' for all groups"))
            }
            _ => Ok(()),
        }
    }
}
