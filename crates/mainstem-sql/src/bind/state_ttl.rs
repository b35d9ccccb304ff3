//! The hint STATE_TTL('table' = 'duration', ...) of a query: how long its own joins keep the rows of a table, and its own
//! groups live, without being written.
//! Invariant: as in Flink, a name is that of a table, a view or a sub-query in FROM, by its alias if it has one; a hint
//! holds for the joins of which the named one is a side by itself, and for groups and DISTINCT of a query that reads it
//! alone. Elsewhere it says nothing; a name that is nowhere is an error.

use std::collections::BTreeSet;

use mainstem_core::options::parse_duration_ms;

use super::Binder;
use crate::ast::{Select, StringLiteral, TableArg, TableArgValue, TableRef};
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelKind};

/// The hints of the query that is bound, and the names in its FROM and those of its sub-queries.
#[derive(Debug, Default)]
pub(super) struct TimesToLive {
    ms: Vec<(String, i64)>,
    names: BTreeSet<String>,
}

impl TimesToLive {
    fn new(hints: &[(StringLiteral, StringLiteral)]) -> SqlResult<Self> {
        let mut ms = Vec::with_capacity(hints.len());
        for (table, value) in hints {
            let ttl_ms = parse_duration_ms("STATE_TTL", &value.value)
                .map_err(|e| SqlError::from_core(&e, value.span))?;
            ms.push((table.value.clone(), ttl_ms));
        }
        Ok(Self { ms, names: BTreeSet::new() })
    }

    /// A table stands in FROM.
    pub(super) fn see(&mut self, table: &TableRef) {
        self.names.extend(names(table));
    }

    /// The time to live of a table's rows; of several the last counts.
    fn of(&self, table: &TableRef) -> Option<i64> {
        let names = names(table);
        let named = self.ms.iter().rev().find(|(name, _)| names.contains(name));
        named.map(|(_, ttl_ms)| *ttl_ms)
    }
}

/// What a table in FROM can be called in a hint.
fn names(table: &TableRef) -> Vec<String> {
    match table {
        TableRef::Table { alias: Some(alias), .. }
        | TableRef::Derived { alias: Some(alias), .. } => {
            vec![alias.name.value.clone()]
        }
        TableRef::Table { name, .. } => {
            let parts: Vec<&str> = name.0.iter().map(|part| part.value.as_str()).collect();
            (0..parts.len()).map(|from| parts[from..].join(".")).collect()
        }
        TableRef::Function { args, .. } => {
            let table = |arg: &TableArg| match &arg.value {
                TableArgValue::Table(name) => Some(name.last().value.clone()),
                _ => None,
            };
            args.iter().filter_map(table).collect()
        }
        _ => Vec::new(),
    }
}

impl Binder<'_> {
    /// Binds a query under its own hints.
    pub(super) fn under_hints(
        &mut self,
        select: &Select,
        bind: impl FnOnce(&mut Self) -> SqlResult<Rel>,
    ) -> SqlResult<Rel> {
        let around = std::mem::replace(&mut self.ttl, TimesToLive::new(&select.state_ttl)?);
        let rel = bind(self);
        let own = std::mem::replace(&mut self.ttl, around);
        let rel = rel?;
        for (table, _) in &select.state_ttl {
            if !own.names.contains(&table.value) {
                let message = format!("STATE_TTL names '{}', which is not in FROM", table.value);
                return Err(SqlError::new(message, table.span)
                    .with_hint("a table is named by its alias, if it has one"));
            }
        }
        self.ttl.names.extend(own.names);
        Ok(rel)
    }

    /// `rel`, groups over the FROM of `select`, with the time to live that its hint says.
    pub(super) fn groups_kept(&self, rel: Rel, select: &Select) -> Rel {
        let Some(ttl_ms) = select.from.as_ref().and_then(|from| self.ttl.of(from)) else {
            return rel;
        };
        let fields = rel.fields.clone();
        Rel { kind: RelKind::StateTtl { input: Box::new(rel), ttl_ms }, fields }
    }

    /// `rel`, a join of two tables, with the times to live of their rows.
    pub(super) fn rows_kept(&self, rel: Rel, tables: [&TableRef; 2]) -> Rel {
        kept_for(rel, tables.map(|table| self.ttl.of(table)))
    }
}

/// `rel` with times to live in the join that it is, but for projections.
pub(super) fn kept_for(rel: Rel, times_ms: [Option<i64>; 2]) -> Rel {
    if times_ms == [None; 2] {
        return rel;
    }
    let kind = match rel.kind {
        RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms: _ } => {
            RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms: times_ms }
        }
        RelKind::Project { input, exprs } => {
            RelKind::Project { input: Box::new(kept_for(*input, times_ms)), exprs }
        }
        kind => kind,
    };
    Rel { kind, fields: rel.fields }
}
