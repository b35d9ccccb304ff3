//! LIKE of CREATE TABLE: what of the source table goes into the new one, by Flink's merging rules.
//! Invariant: the table that comes out has indices and expressions over its own columns; what the statement itself
//! declares is put in by `ddl`, which asks here whether it may. The source's comment is not copied.

use super::Context;
use super::ddl::find_source;
use crate::ast::{CreateTable, LikeClause};
use crate::bound::Bound;
use crate::catalog::{ColumnSource, Table, TableColumn, Watermark};
use crate::error::{SqlError, SqlResult};
use crate::rel::columns_of;
use crate::source::Span;

const FEATURES: &[&str] = &[
    "ALL",
    "CONSTRAINTS",
    "DISTRIBUTION",
    "GENERATED",
    "METADATA",
    "OPTIONS",
    "PARTITIONS",
    "WATERMARKS",
];

/// What happens to a feature of the source table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    /// It is taken; declaring it again is an error.
    Including,
    /// It is left out.
    Excluding,
    /// It is taken unless the statement declares it.
    Overwriting,
}

/// The rules of a LIKE clause.
pub(super) struct Rules(Vec<(&'static str, Strategy)>);

impl Rules {
    /// The rules as written, if they are Flink's.
    pub(super) fn new(like: &LikeClause) -> SqlResult<Self> {
        let mut rules: Vec<(&'static str, Strategy)> = Vec::new();
        for (how, what, span) in &like.rules {
            let strategy = match how.as_str() {
                "INCLUDING" => Some(Strategy::Including),
                "EXCLUDING" => Some(Strategy::Excluding),
                "OVERWRITING" => Some(Strategy::Overwriting),
                _ => None,
            };
            let feature = FEATURES.iter().find(|f| *f == what);
            let (Some(strategy), Some(feature)) = (strategy, feature) else {
                let message = format!("unknown LIKE rule '{how} {what}'");
                return Err(SqlError::new(message, *span).with_hint(format!(
                    "INCLUDING, EXCLUDING or OVERWRITING, and one of {}",
                    FEATURES.join(", ")
                )));
            };
            let replaceable = ["GENERATED", "METADATA", "OPTIONS", "WATERMARKS"].contains(feature);
            if strategy == Strategy::Overwriting && !replaceable {
                return Err(SqlError::new(format!("{what} cannot be OVERWRITING"), *span)
                    .with_hint(format!("write EXCLUDING {what} to declare them anew")));
            }
            if rules.iter().any(|(f, _)| f == feature) {
                return Err(SqlError::new(format!("two rules for {what}"), *span));
            }
            rules.push((feature, strategy));
        }
        Ok(Self(rules))
    }

    /// The rule for a feature: its own, that for ALL, or the default.
    pub(super) fn of(&self, feature: &str) -> Strategy {
        let rule = |wanted: &str| self.0.iter().find(|(f, _)| *f == wanted).map(|(_, s)| *s);
        rule(feature).or_else(|| rule("ALL")).unwrap_or(match feature {
            "OPTIONS" => Strategy::Overwriting,
            _ => Strategy::Including,
        })
    }

    /// True if `old`, a column of the source, may be replaced by one declared like `new`.
    pub(super) fn may_replace(&self, old: &ColumnSource, new: &ColumnSource) -> Option<bool> {
        let feature = match (old, new) {
            (ColumnSource::Computed { .. }, ColumnSource::Computed { .. }) => "GENERATED",
            (ColumnSource::Metadata { .. }, ColumnSource::Metadata { .. }) => "METADATA",
            _ => return None,
        };
        Some(self.of(feature) == Strategy::Overwriting)
    }
}

/// The new table as far as the source gives it.
pub(super) fn inherit(
    context: Context<'_>,
    ddl: &CreateTable,
    like: &LikeClause,
    rules: &Rules,
) -> SqlResult<Table> {
    let source = find_source(context, &like.table)?;
    let mut table = source.as_ref().clone();
    table.comment = None;
    table.temporary = false;
    clauses(&mut table, ddl, rules)?;
    if rules.of("OPTIONS") == Strategy::Excluding {
        table.options.clear();
    }
    if rules.of("OPTIONS") == Strategy::Including {
        let again = ddl.options.iter().find(|(k, _)| table.options.contains_key(&k.value));
        if let Some((key, _)) = again {
            let what = format!("option '{}'", key.value);
            return Err(declared_already(&what, "OPTIONS", true, key.span));
        }
    }
    leave_out_columns(table, rules, like.table.span())
}

/// Key, partitions, distribution and watermark: one of each, the source's or the statement's.
fn clauses(table: &mut Table, ddl: &CreateTable, rules: &Rules) -> SqlResult<()> {
    if rules.of("CONSTRAINTS") == Strategy::Excluding {
        table.primary_key.clear();
        table.constraint = None;
    }
    if let Some(key) = ddl.primary_key.as_ref().filter(|_| !table.primary_key.is_empty()) {
        let span = key.columns[0].span;
        return Err(declared_already("a primary key", "CONSTRAINTS", false, span));
    }
    // As in Flink: what is excluded only makes room for the statement's own.
    let excluded = |feature: &str| rules.of(feature) == Strategy::Excluding;
    if let Some(name) = ddl.partitioned_by.first().filter(|_| !table.partition_keys.is_empty())
        && !excluded("PARTITIONS")
    {
        return Err(declared_already("PARTITIONED BY", "PARTITIONS", false, name.span));
    }
    if let Some(distribution) = ddl.distribution.as_ref().filter(|_| table.distribution.is_some())
        && !excluded("DISTRIBUTION")
    {
        return Err(declared_already("DISTRIBUTED", "DISTRIBUTION", false, distribution.span));
    }
    let Some(old) = &table.watermark else { return Ok(()) };
    match (rules.of("WATERMARKS"), &ddl.watermark) {
        (Strategy::Including | Strategy::Overwriting, None) => return Ok(()),
        (Strategy::Excluding, _) => {}
        (Strategy::Overwriting, Some(own))
            if own.column[0].value == table.columns[old.column].name => {}
        (rule, Some(own)) => {
            let same = rule == Strategy::Including;
            return Err(declared_already("a watermark", "WATERMARKS", same, own.column[0].span));
        }
    }
    table.watermark = None;
    Ok(())
}

fn declared_already(what: &str, feature: &str, replaceable: bool, span: Span) -> SqlError {
    let or = if replaceable { format!(" or OVERWRITING {feature}") } else { String::new() };
    SqlError::new(format!("the source of LIKE has {what} already"), span)
        .with_hint(format!("write LIKE ... (EXCLUDING {feature}){or}"))
}

/// `table` without the computed and metadata columns that the rules exclude.
fn leave_out_columns(mut table: Table, rules: &Rules, span: Span) -> SqlResult<Table> {
    let excluded = |feature: &str| rules.of(feature) == Strategy::Excluding;
    let (no_computed, no_metadata) = (excluded("GENERATED"), excluded("METADATA"));
    let keeps = |column: &TableColumn| match column.source {
        ColumnSource::Physical => true,
        ColumnSource::Computed { .. } => !no_computed,
        ColumnSource::Metadata { .. } => !no_metadata,
    };
    let kept: Vec<usize> = (0..table.columns.len()).filter(|&i| keeps(&table.columns[i])).collect();
    if kept.len() == table.columns.len() {
        return Ok(table);
    }
    let names: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
    let place = |user: &str, old: usize| {
        kept.iter().position(|k| *k == old).ok_or_else(|| {
            let message = format!("{user} needs column '{}', which LIKE excludes", names[old]);
            SqlError::new(message, span).with_hint("exclude it too, or keep the column")
        })
    };
    let moved = |user: &str, expr: &Bound| {
        columns_of(expr).iter().try_for_each(|&c| place(user, c).map(drop))?;
        Ok::<_, SqlError>(expr.remap(&|c| place(user, c).expect("checked above")))
    };
    if let Some(Watermark { column, expr, text, of_source }) = table.watermark.take() {
        let user = "the watermark";
        table.watermark = Some(Watermark {
            column: place(user, column)?,
            expr: moved(user, &expr)?,
            text,
            of_source,
        });
    }
    let indices = |user: &str, old: &[usize]| {
        old.iter().map(|&c| place(user, c)).collect::<SqlResult<Vec<_>>>()
    };
    table.primary_key = indices("the primary key", &table.primary_key)?;
    table.partition_keys = indices("PARTITIONED BY", &table.partition_keys)?;
    let mut columns = Vec::new();
    for &old in &kept {
        let mut column = table.columns[old].clone();
        if let ColumnSource::Computed { expr, .. } = &mut column.source {
            *expr = moved(&format!("column '{}'", column.name), expr)?;
        }
        columns.push(column);
    }
    table.columns = columns;
    Ok(table)
}
