//! Rewrites of a relation that keep its meaning: filters move towards sources and tell what columns are, unused columns
//! vanish, windows are assigned inside their aggregate.
//! Invariant: each pass returns a relation with the same columns in the same order.

pub(crate) mod bounded;
mod computed;
mod fields;
mod fuse;
pub(crate) mod known;
mod match_recognize;
mod prune;
pub(crate) mod pushdown;
pub(crate) mod rank;

pub(crate) use pushdown::scan_filter;

use crate::catalog::ConnectorCatalog;
use crate::rel::Rel;

/// What the passes may know of the job around the relation.
pub(crate) struct Around<'a> {
    pub(crate) connectors: &'a ConnectorCatalog,
    /// Nobody else reads the table: a filter may hide its rows.
    pub(crate) is_alone: &'a dyn Fn(&str) -> bool,
    /// Some operator goes by watermarks.
    pub(crate) event_time: bool,
}

/// All passes, in the order in which they help each other.
#[must_use]
pub(crate) fn optimize(rel: Rel, around: &Around<'_>) -> Rel {
    let rel = computed::expose(rel, &|table| {
        let upsert = around.connectors.connector(&table.options).is_some_and(|c| c.upsert_source);
        let watermarked = around.event_time && table.watermark.is_some();
        !upsert && !watermarked && (around.is_alone)(&table.name)
    });
    let rel = pushdown::pushdown(rel);
    let rel = pushdown::into_scans(rel, around.connectors, around.is_alone);
    let rel = known::substitute(rel);
    let all: Vec<usize> = (0..rel.fields.len()).collect();
    // Conditions on ranks that came down through joins, and ranks beside calls that nobody reads.
    let rel = rank::ranks(prune::prune(rel, &all), around.connectors);
    let rel = prune::prune(fuse::fuse(rel), &all);
    // Merged projections meet filters here for the first time.
    prune::prune(fields::below_filters(known::substitute(rel)), &all)
}

/// The same node over rewritten inputs.
fn map_inputs(mut rel: Rel, rewrite: &mut dyn FnMut(Rel) -> Rel) -> Rel {
    use crate::rel::RelKind;
    let mut apply = |input: &mut Box<Rel>| {
        let empty =
            Rel { kind: RelKind::Values { columns: Vec::new(), rows: 0 }, fields: Vec::new() };
        let taken = std::mem::replace(input.as_mut(), empty);
        **input = rewrite(taken);
    };
    match &mut rel.kind {
        RelKind::Scan { .. } | RelKind::Values { .. } => {}
        RelKind::Project { input, .. }
        | RelKind::Filter { input, .. }
        | RelKind::WindowTable { input, .. }
        | RelKind::SessionTable { input, .. }
        | RelKind::StateTtl { input, .. }
        | RelKind::Aggregate { input, .. }
        | RelKind::WindowAggregate { input, .. }
        | RelKind::Unnest { input, .. }
        | RelKind::Repeat { input, .. }
        | RelKind::ToChangelog { input, .. }
        | RelKind::Expand { input, .. }
        | RelKind::Over { input, .. }
        | RelKind::MatchRecognize { input, .. }
        | RelKind::Rank { input, .. }
        | RelKind::Sort { input, .. }
        | RelKind::Limit { input, .. } => apply(input),
        RelKind::Join { left, right, .. } | RelKind::TimedJoin { left, right, .. } => {
            apply(left);
            apply(right);
        }
        RelKind::UnionAll { inputs } => {
            for input in std::mem::take(inputs) {
                inputs.push(rewrite(input));
            }
        }
    }
    rel
}
