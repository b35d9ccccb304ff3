//! Lookup joins with tables outside: what they are asked by, what is wanted of their rows, and what is remembered.
//! Invariant: the table is asked by its own columns and constants only; every other condition is applied here, to the
//! rows it gives.

use std::collections::BTreeSet;

use mainstem_core::options::OptionReader;
use mainstem_core::table::{FilterOp, Options, ScanFilter};
use mainstem_engine::lookup::{CacheSpec, ROWS_WAITING_MAX};
use mainstem_engine::plan::NodeKind;

use super::Lowering;
use super::timed_join::Sides;
use crate::bind::{conjunction, conjuncts};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::job::LookupPlan;
use crate::optimize::scan_filter;
use crate::rel::{Rel, columns_of};
use crate::remote::Remote;
use crate::source::Span;

impl Lowering<'_> {
    pub(super) fn remote_lookup(
        &mut self,
        rel: &Rel,
        sides: &Sides<'_>,
        remote: &Remote,
    ) -> SqlResult<usize> {
        let table = &remote.table;
        let key = |&field: &usize| remote.key(field);
        let keys = sides.right_keys.iter().map(key).collect::<Option<Vec<usize>>>();
        let Some(keys) = keys else { return Err(without_key(remote)) };
        let (mut conditions, residual) = conditions(sides, remote);
        let (filters, others) = constants(std::mem::take(&mut conditions), remote);
        if keys.is_empty() && filters.is_empty() {
            return Err(without_key(remote));
        }
        let left = self.rel(sides.left)?;
        let left = match sides.left_keys.as_slice() {
            [] => left,
            keys => self.exchange(left, keys.to_vec(), &sides.left.types()),
        };
        let changelog = self.changelog(left);
        let wanted: BTreeSet<usize> =
            remote.exprs.iter().chain(&others).flat_map(columns_of).collect();
        let wanted: Vec<usize> = wanted.into_iter().collect();
        let place = |column: usize| wanted.binary_search(&column).expect("it is one of those");
        let cache = cache(&remote.options, self.options_of(&remote.options))
            .map_err(|e| SqlError::from_core(&e, Span::default()))?
            .filter(|_| !changelog);
        let name = self.shown(sides, remote, &filters, &wanted, cache);
        let node = NodeKind::RemoteLookup {
            lookup: self.lookups.len(),
            kind: sides.kind,
            left_keys: sides.left_keys.clone(),
            filter: conjunction(others).map(|condition| condition.remap(&place).compile()),
            columns: remote.exprs.iter().map(|expr| expr.remap(&place).compile()).collect(),
            residual: residual.map(Bound::compile),
            cache,
        };
        let stored: Vec<usize> =
            (0..table.columns.len()).filter(|&column| table.is_stored(column)).collect();
        let in_spec = |column: &usize| stored.binary_search(column).expect("it is stored");
        let filter = |f: &ScanFilter| ScanFilter { column: in_spec(&f.column), ..f.clone() };
        self.lookups.push(LookupPlan {
            table: table.spec(&stored, &remote.options),
            keys: keys.iter().map(in_spec).collect(),
            projection: wanted.iter().map(in_spec).collect(),
            filters: filters.iter().map(filter).collect(),
        });
        Ok(self.push(node, vec![left], name, &rel.types(), changelog))
    }

    /// `LookupJoin(Left, o.id = id, customers, fields=[id, name], by=[kind = 'x'], cache=[PARTIAL, 100 rows])`.
    fn shown(
        &self,
        sides: &Sides<'_>,
        remote: &Remote,
        filters: &[ScanFilter],
        wanted: &[usize],
        cache: Option<CacheSpec>,
    ) -> String {
        let columns = &remote.table.columns;
        let names: Vec<&str> = wanted.iter().map(|&c| columns[c].name.as_str()).collect();
        let by: Vec<String> = filters
            .iter()
            .map(|f| {
                format!("{} = {}", columns[f.column].name, crate::explain::literal(&f.literal))
            })
            .collect();
        let by = if by.is_empty() { String::new() } else { format!(", by=[{}]", by.join(" AND ")) };
        format!(
            "LookupJoin({:?}{}, {}, fields=[{}]{by}, cache=[{}])",
            sides.kind,
            sides.keys(),
            remote.table.name,
            names.join(", "),
            if cache.is_some() { "PARTIAL" } else { "NONE" },
        )
    }

    fn options_of(&self, options: &Options) -> &'static [mainstem_core::options::OptionSpec] {
        self.connectors.connector(options).map_or(&[], |spec| spec.options)
    }
}

fn without_key(remote: &Remote) -> SqlError {
    let name = &remote.table.name;
    SqlError::new(format!("no column of '{name}' is compared for equality"), Span::default())
        .with_hint(
            "a lookup join needs an equality with a column of its table as it is; CAST the other side to that column's \
             type",
        )
}

/// Conditions on rows of the table, over the table; and what is left of the residual one.
fn conditions(sides: &Sides<'_>, remote: &Remote) -> (Vec<Bound>, Option<Bound>) {
    let width = sides.left.fields.len();
    let mut parts = Vec::new();
    if let Some(residual) = sides.residual {
        conjuncts(residual.clone(), &mut parts);
    }
    let on_right = |part: &Bound| {
        let columns = columns_of(part);
        part.is_deterministic() && !columns.is_empty() && columns.iter().all(|c| *c >= width)
    };
    let (right, rest): (Vec<_>, Vec<_>) = parts.into_iter().partition(on_right);
    let right = right.iter().map(|part| remote.over_table(&part.remap(&|c| c - width)));
    (remote.conditions.iter().cloned().chain(right).collect(), conjunction(rest))
}

/// The equalities with constants that the table is asked by, and the other conditions.
fn constants(conditions: Vec<Bound>, remote: &Remote) -> (Vec<ScanFilter>, Vec<Bound>) {
    let all: Vec<usize> = (0..remote.table.columns.len()).collect();
    let (mut filters, mut others) = (Vec::new(), Vec::new());
    for condition in conditions {
        match scan_filter(&condition, &remote.table, &all).filter(|f| f.op == FilterOp::Eq) {
            Some(filter) => filters.push(filter),
            None => others.push(condition),
        }
    }
    (filters, others)
}

/// Flink's options of lookup caches, the older names too.
fn cache(
    options: &Options,
    specs: &[mainstem_core::options::OptionSpec],
) -> mainstem_core::Result<Option<CacheSpec>> {
    let reader = OptionReader::new(options, specs);
    let rows = |name: &str| {
        let rows = reader.integer(name)?;
        let rows = rows.map(|rows| usize::try_from(rows).map_err(|_| negative(name)));
        rows.transpose()
    };
    let (old_rows, old_ttl) = ("lookup.cache.max-rows", "lookup.cache.ttl");
    if options.contains_key(old_rows) != options.contains_key(old_ttl) {
        return Err(mainstem_core::Error::user(format!(
            "options '{old_rows}' and '{old_ttl}' are given together or not at all"
        )));
    }
    let missing = |name: &str| reader.text(name).map(|_| reader.boolean(name)).transpose();
    if reader.text("lookup.cache").is_some_and(|kind| kind.eq_ignore_ascii_case("PARTIAL")) {
        let other = missing("lookup.partial-cache.caching-missing-key")?;
        let asked = missing("lookup.partial-cache.cache-missing-key")?;
        return Ok(Some(CacheSpec {
            rows_max: rows("lookup.partial-cache.max-rows")?,
            expire_after_write_ms: reader.duration_ms("lookup.partial-cache.expire-after-write")?,
            expire_after_access_ms: reader
                .duration_ms("lookup.partial-cache.expire-after-access")?,
            missing_keys: other.or(asked).unwrap_or(true),
        }));
    }
    let (rows_max, ttl_ms) = (rows(old_rows)?, reader.duration_ms(old_ttl)?);
    // As in Flink, nothing is remembered if either is 0.
    let used = rows_max.is_some_and(|rows| rows > 0) && ttl_ms.is_some_and(|ms| ms > 0);
    Ok(used.then_some(CacheSpec {
        rows_max,
        expire_after_write_ms: ttl_ms,
        expire_after_access_ms: None,
        missing_keys: missing("lookup.cache.caching-missing-key")?.unwrap_or(true),
    }))
}

fn negative(name: &str) -> mainstem_core::Error {
    mainstem_core::Error::user(format!("option '{name}' is less than 0"))
}

/// What a lookup join keeps, and what bounds it.
pub(crate) fn state(cache: Option<&CacheSpec>, retracts: bool) -> String {
    if retracts {
        return "all rows of the input and what they found, kept until they are retracted"
            .to_owned();
    }
    let waiting =
        format!("rows until they are answered: {ROWS_WAITING_MAX} a worker stop the input");
    let Some(cache) = cache else { return waiting };
    let mut bounds = Vec::new();
    if let Some(rows) = cache.rows_max {
        bounds.push(format!("at most {rows} rows a worker"));
    }
    if let Some(ms) = cache.expire_after_write_ms {
        bounds.push(format!("for {ms} ms"));
    }
    if let Some(ms) = cache.expire_after_access_ms {
        bounds.push(format!("until {ms} ms after their last use"));
    }
    let missing = if cache.missing_keys { "" } else { ", but that a key has no rows" };
    if bounds.is_empty() {
        return format!(
            "{waiting}; the answers for all keys{missing}: they grow, as no lookup.partial-cache option bounds them"
        );
    }
    format!("{waiting}; answers{missing}, {}", bounds.join(", "))
}
