//! MATCH_RECOGNIZE in the passes: which columns it reads, which filters pass it.
//! Invariant: rows of a key match or not whatever other keys do, so a filter on keys alone may run below; no other may.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::prune::{place_in, places};
use super::pushdown::split;
use crate::bound::Bound;
use crate::rel::{Rel, RelField, RelKind, columns_of};

/// The columns `wanted`, without the measures that nobody reads.
pub(super) fn prune(kind: RelKind, fields: &[RelField], wanted: &[usize]) -> Rel {
    let RelKind::MatchRecognize { input, spec } = kind else {
        unreachable!("called for MATCH_RECOGNIZE only")
    };
    let keys = spec.keys.len();
    let mut spec = spec.as_ref().clone();
    let kept: Vec<usize> = (keys..fields.len()).filter(|column| wanted.contains(column)).collect();
    spec.measures = kept.iter().map(|column| spec.measures[column - keys].clone()).collect();
    let outputs: Vec<usize> = (0..keys).chain(kept).collect();
    let mut needed = BTreeSet::new();
    spec.for_each_column(&mut |column| {
        needed.insert(*column);
    });
    let needed: Vec<usize> = needed.into_iter().collect();
    let at = place_in(&needed);
    spec.for_each_column(&mut |column| *column = at(*column));
    let input = Box::new(super::prune::prune(*input, &needed));
    let fields = outputs.iter().map(|&column| fields[column].clone()).collect();
    let kind = RelKind::MatchRecognize { input, spec: Arc::new(spec) };
    Rel { kind, fields }.select(&places(wanted, &outputs))
}

/// The node with the conjuncts on its keys moved below by `filtered`, and the others.
pub(super) fn filter_keys(
    rel: Rel,
    parts: Vec<Bound>,
    filtered: fn(Rel, Vec<Bound>) -> Rel,
) -> (Rel, Vec<Bound>) {
    let fields = rel.fields;
    let RelKind::MatchRecognize { input, spec } = rel.kind else {
        return (Rel { kind: rel.kind, fields }, parts);
    };
    let on_keys = |part: &Bound| {
        part.is_deterministic() && columns_of(part).iter().all(|c| *c < spec.keys.len())
    };
    let (down, stay) = split(parts, on_keys);
    let down = down.iter().map(|part| part.remap(&|c| spec.keys[c])).collect();
    let input = Box::new(filtered(*input, down));
    (Rel { kind: RelKind::MatchRecognize { input, spec }, fields }, stay)
}
