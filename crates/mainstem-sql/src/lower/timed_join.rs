//! Joins by time to plan nodes: both sides by their keys, then the join; what cannot be joined so is refused.
//! Invariant: a versioned table is read as its source has it, change by change: a table that keeps only the last row
//! of a step would lose versions.

use mainstem_core::table::Options;
use mainstem_engine::plan::{JoinKind, NodeKind, Versions};

use super::{Lowering, time_source};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::join_time::JoinTime;
use crate::optimize::bounded::may_not_end;
use crate::rel::{Rel, RelKind, TimeAttribute};
use crate::remote::Remote;
use crate::source::Span;

/// A join whose sides are nodes.
pub(super) struct Sides<'r> {
    pub(super) left: &'r Rel,
    pub(super) right: &'r Rel,
    pub(super) kind: JoinKind,
    pub(super) left_keys: Vec<usize>,
    pub(super) right_keys: Vec<usize>,
    pub(super) residual: Option<&'r Bound>,
}

impl Lowering<'_> {
    pub(super) fn timed_join(&mut self, rel: &Rel) -> SqlResult<usize> {
        let RelKind::TimedJoin { left, right, kind, left_keys, right_keys, residual, by } =
            &rel.kind
        else {
            unreachable!("called for joins by time only")
        };
        let sides = Sides {
            left,
            right,
            kind: *kind,
            left_keys: left_keys.clone(),
            right_keys: right_keys.clone(),
            residual: residual.as_ref(),
        };
        let residual = residual.clone().map(Bound::compile);
        let (kind, left_keys, right_keys) = (*kind, left_keys.clone(), right_keys.clone());
        match by {
            JoinTime::Interval { left: l, right: r, attribute, lower_ms, upper_ms } => {
                let inputs = self.appended(&sides, "an interval join", None)?;
                let time = |column: usize| match attribute {
                    TimeAttribute::Event => time_source(Some(column)),
                    TimeAttribute::Processing => time_source(None),
                };
                let name = format!(
                    "IntervalJoin({kind:?}{}, {} - {} between {lower_ms} and {upper_ms} ms{})",
                    sides.keys(),
                    left.fields[*l].name,
                    right.fields[*r].name,
                    if *attribute == TimeAttribute::Event { "" } else { ", proctime" },
                );
                let node = NodeKind::IntervalJoin {
                    kind,
                    left_keys,
                    right_keys,
                    left_time: time(*l),
                    right_time: time(*r),
                    lower_ms: *lower_ms,
                    upper_ms: *upper_ms,
                    residual,
                };
                Ok(self.push(node, inputs, name, &rel.types(), false))
            }
            JoinTime::Version { .. } => self.temporal_join(rel, &sides, by),
            JoinTime::Lookup => self.lookup_join(rel, &sides),
            JoinTime::Window { left, right, processing_time, zone } => {
                let inputs = self.appended(&sides, "a window join", Some((left, right)))?;
                let time = if *processing_time { ", proctime" } else { "" };
                let name = format!("WindowJoin({kind:?}, same window{}{time})", sides.keys());
                let node = NodeKind::WindowJoin {
                    kind,
                    left_keys,
                    right_keys,
                    left_window: *left,
                    right_window: *right,
                    processing_time: *processing_time,
                    zone: zone.clone(),
                    residual,
                };
                Ok(self.push(node, inputs, name, &rel.types(), false))
            }
        }
    }

    /// Both sides, by key or, without keys, by window; neither takes rows back.
    fn appended(
        &mut self,
        sides: &Sides<'_>,
        what: &str,
        windows: Option<(&(usize, usize), &(usize, usize))>,
    ) -> SqlResult<Vec<usize>> {
        let (left, right) = (self.rel(sides.left)?, self.rel(sides.right)?);
        for (side, node) in [("left", left), ("right", right)] {
            if self.changelog(node) {
                let message = format!("{what} over a result that changes (its {side} input)");
                return Err(SqlError::unsupported(message, Span::default()).with_hint(
                    "CAST the time columns in the condition to TIMESTAMP(3): then it is a regular join",
                ));
            }
        }
        let (left_keys, right_keys) = match windows {
            Some((l, r)) if sides.left_keys.is_empty() => (vec![l.0, l.1], vec![r.0, r.1]),
            _ => (sides.left_keys.clone(), sides.right_keys.clone()),
        };
        Ok(vec![
            self.exchange(left, left_keys, &sides.left.types()),
            self.exchange(right, right_keys, &sides.right.types()),
        ])
    }

    fn temporal_join(&mut self, rel: &Rel, sides: &Sides<'_>, by: &JoinTime) -> SqlResult<usize> {
        let JoinTime::Version { left, right, key, keep_last } = by else {
            unreachable!("called for versions only")
        };
        if let Some(missing) = key.iter().find(|column| !sides.right_keys.contains(column)) {
            let name = &sides.right.fields[*missing].name;
            let message = format!("the key of the versioned table, '{name}', is not compared");
            return Err(SqlError::new(message, Span::default()).with_hint(format!(
                "a join FOR SYSTEM_TIME AS OF needs an equality for each column of the primary key: ON ... = {name}"
            )));
        }
        let versions = match (keep_last, source_of(sides.right)) {
            (true, _) => Versions::KeepLast,
            (false, Some(options)) if self.upserts(options) => Versions::Upserts,
            (false, _) => Versions::All,
        };
        let l = self.rel(sides.left)?;
        let r = self.versions(sides.right)?;
        if *keep_last && self.changelog(r) {
            let what = "a versioned table that deduplicates a result that changes";
            return Err(SqlError::unsupported(what, Span::default())
                .with_hint("join the table itself: its primary key says what a version is of"));
        }
        let l = self.exchange(l, sides.left_keys.clone(), &sides.left.types());
        let r = self.exchange(r, sides.right_keys.clone(), &sides.right.types());
        let name = format!(
            "TemporalJoin({:?}{}, {} AS OF {})",
            sides.kind,
            sides.keys(),
            sides.right.fields[*right].name,
            sides.left.fields[*left].name
        );
        let changelog = self.changelog(l);
        let node = NodeKind::TemporalJoin {
            kind: sides.kind,
            left_keys: sides.left_keys.clone(),
            right_keys: sides.right_keys.clone(),
            left_time: *left,
            right_time: *right,
            versions,
            residual: sides.residual.cloned().map(Bound::compile),
        };
        Ok(self.push(node, vec![l, r], name, &rel.types(), changelog))
    }

    fn lookup_join(&mut self, rel: &Rel, sides: &Sides<'_>) -> SqlResult<usize> {
        if let Some(remote) = Remote::of(sides.right, self.connectors) {
            return self.remote_lookup(rel, sides, &remote);
        }
        if sides.left_keys.is_empty() {
            return Err(SqlError::new(
                "FOR SYSTEM_TIME AS OF needs an equality with columns of its table",
                Span::default(),
            ));
        }
        self.check_lookup(sides.right)?;
        let (l, r) = (self.rel(sides.left)?, self.rel(sides.right)?);
        let l = self.exchange(l, sides.left_keys.clone(), &sides.left.types());
        let r = self.exchange(r, sides.right_keys.clone(), &sides.right.types());
        let name = format!("LookupJoin({:?}{})", sides.kind, sides.keys());
        let changelog = self.changelog(l);
        let node = NodeKind::LookupJoin {
            kind: sides.kind,
            left_keys: sides.left_keys.clone(),
            right_keys: sides.right_keys.clone(),
            residual: sides.residual.cloned().map(Bound::compile),
        };
        Ok(self.push(node, vec![l, r], name, &rel.types(), changelog))
    }

    /// Refuses a right side of a lookup join that does not end.
    fn check_lookup(&self, right: &Rel) -> SqlResult<()> {
        const HINT: &str = "read it from what ends (a file, a topic with 'scan.bounded.mode'), or join it as a \
                            versioned table AS OF a rowtime";
        let mut wrong = None;
        super::visit(right, &mut |rel| {
            let RelKind::Scan { table, options, .. } = &rel.kind else { return };
            let connector = self.connectors.connector(options);
            if connector.is_some_and(|spec| spec.source.is_none()) {
                let connector = connector.map_or("", |spec| spec.name);
                wrong = Some(format!("a lookup in '{}' (connector '{connector}')", table.name));
            } else if may_not_end(rel, self.connectors) {
                wrong = Some(format!("a lookup in the endless table '{}'", table.name));
            }
        });
        match wrong {
            Some(what) => Err(SqlError::unsupported(what, Span::default()).with_hint(HINT)),
            None => Ok(()),
        }
    }

    /// A versioned table, change by change.
    fn versions(&mut self, rel: &Rel) -> SqlResult<usize> {
        match &rel.kind {
            RelKind::Scan { table, options, columns, filters } => {
                let (node, made) = self.changes(table, options, filters)?;
                Ok(self.picked(table, options, node, &made, columns))
            }
            RelKind::Project { input, exprs } => {
                let node = self.versions(input)?;
                let exprs = self.over_scan(input, exprs);
                Ok(self.project(node, &exprs, &rel.fields))
            }
            _ => {
                let node = self.rel(rel)?;
                if self.changelog(node) {
                    return Err(SqlError::unsupported(
                        "a versioned table that is computed from a result that changes",
                        Span::default(),
                    )
                    .with_hint("join the table itself, and filter after the join"));
                }
                Ok(node)
            }
        }
    }

    fn upserts(&self, options: &Options) -> bool {
        self.connectors.connector(options).is_some_and(|spec| spec.upsert_source)
    }
}

impl Sides<'_> {
    /// `, a = b AND c = d`.
    pub(super) fn keys(&self) -> String {
        let pairs = self.left_keys.iter().zip(&self.right_keys);
        let keys: Vec<String> = pairs
            .map(|(l, r)| format!("{} = {}", self.left.fields[*l].name, self.right.fields[*r].name))
            .collect();
        if keys.is_empty() { String::new() } else { format!(", {}", keys.join(" AND ")) }
    }
}

/// The options of the table under projections and filters.
fn source_of(rel: &Rel) -> Option<&Options> {
    match &rel.kind {
        RelKind::Scan { options, .. } => Some(options),
        RelKind::Project { input, .. } | RelKind::Filter { input, .. } => source_of(input),
        _ => None,
    }
}

/// What a join by time keeps, and what frees it.
pub(crate) fn state(kind: &NodeKind) -> Option<String> {
    Some(match kind {
        NodeKind::IntervalJoin { lower_ms, upper_ms, left_time, .. } => {
            let passes = match left_time {
                mainstem_engine::plan::TimeSource::EventTime { .. } => "the watermark passes",
                mainstem_engine::plan::TimeSource::ProcessingTime => "the clock passes",
            };
            format!(
                "left rows for {} ms, right rows for {} ms, freed when {passes}",
                lower_ms.saturating_neg().max(0),
                upper_ms.max(&0),
            )
        }
        NodeKind::TemporalJoin { .. } => {
            "left rows until the watermark passes them; per key the version valid at the watermark and later ones"
                .to_owned()
        }
        NodeKind::LookupJoin { .. } => {
            "all rows of the right input; left rows until it has ended".to_owned()
        }
        NodeKind::WindowJoin { .. } => {
            "the rows of open windows, freed when the watermark passes".to_owned()
        }
        _ => return None,
    })
}
