//! Rewrites of a relation that keep its meaning: filters move towards sources, unused columns vanish, windows are
//! assigned inside their aggregate.
//! Invariant: each pass returns a relation with the same columns in the same order.

mod fuse;
mod prune;
mod pushdown;

use crate::catalog::ConnectorCatalog;
use crate::rel::Rel;

/// All passes, in the order in which they help each other.
#[must_use]
pub(crate) fn optimize(
    rel: Rel,
    connectors: &ConnectorCatalog,
    may_filter: &dyn Fn(&str) -> bool,
) -> Rel {
    let rel = pushdown::pushdown(rel);
    let rel = pushdown::into_scans(rel, connectors, may_filter);
    let all: Vec<usize> = (0..rel.fields.len()).collect();
    let rel = fuse::fuse(prune::prune(rel, &all));
    let all: Vec<usize> = (0..rel.fields.len()).collect();
    prune::prune(rel, &all)
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
        | RelKind::Aggregate { input, .. }
        | RelKind::WindowAggregate { input, .. }
        | RelKind::Unnest { input, .. }
        | RelKind::Sort { input, .. }
        | RelKind::Limit { input, .. } => apply(input),
        RelKind::Join { left, right, .. } => {
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
