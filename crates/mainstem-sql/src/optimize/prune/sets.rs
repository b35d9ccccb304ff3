//! Columns of Repeat and Expand that nobody reads.

use std::collections::BTreeSet;

use mainstem_engine::plan::Expanded;

use super::{place_in, places, prune, union};
use crate::rel::{Rel, RelField, RelKind};

/// `Repeat` needs its number besides what is wanted.
pub(super) fn repeat(
    input: Rel,
    (column, signed): (usize, bool),
    fields: &[RelField],
    wanted: &[usize],
) -> Rel {
    let needed = union(wanted, BTreeSet::from([column]));
    let outputs = &needed[..needed.len() - 1];
    let kept = outputs.iter().map(|&o| fields[o].clone()).collect();
    let input = Box::new(prune(input, &needed));
    Rel { kind: RelKind::Repeat { input, column: outputs.len(), signed }, fields: kept }
        .select(&places(wanted, outputs))
}

/// The columns `wanted` of every layout, and what they read.
pub(super) fn expand(
    input: Rel,
    layouts: &[Vec<Expanded>],
    fields: &[RelField],
    wanted: &[usize],
) -> Rel {
    let kept: Vec<Vec<Expanded>> =
        layouts.iter().map(|layout| wanted.iter().map(|&w| layout[w]).collect()).collect();
    let read = |expanded: &Expanded| match expanded {
        Expanded::Column(column) => Some(*column),
        Expanded::Null | Expanded::Number(_) => None,
    };
    let needed: BTreeSet<usize> = kept.iter().flatten().filter_map(read).collect();
    let needed: Vec<usize> = needed.into_iter().collect();
    let moved = |expanded: Expanded| match expanded {
        Expanded::Column(column) => Expanded::Column(place_in(&needed)(column)),
        other => other,
    };
    let layouts = kept.into_iter().map(|l| l.into_iter().map(moved).collect()).collect();
    let fields = wanted.iter().map(|&w| fields[w].clone()).collect();
    let input = Box::new(prune(input, &needed));
    Rel { kind: RelKind::Expand { input, layouts }, fields }
}
