//! Columns of joins by time: those they go by are kept on each side.

use std::collections::BTreeSet;

use mainstem_engine::plan::JoinKind;

use super::{place_in, places};
use crate::rel::{Rel, RelField, RelKind, columns_of};

/// The join with exactly the columns `wanted`, in that order.
pub(super) fn prune(kind: RelKind, fields: &[RelField], wanted: &[usize]) -> Rel {
    let RelKind::TimedJoin { left, right, kind, left_keys, right_keys, residual, by } = kind else {
        unreachable!("called for joins by time only")
    };
    let width = left.fields.len();
    let mut needed: BTreeSet<usize> = wanted.iter().copied().collect();
    let (of_left, of_right) = by.columns();
    needed.extend(left_keys.iter().chain(&of_left));
    needed.extend(right_keys.iter().chain(&of_right).map(|c| c + width));
    if let Some(residual) = &residual {
        needed.extend(columns_of(residual));
    }
    let outputs: Vec<usize> = needed.into_iter().collect();
    let on_left: Vec<usize> = outputs.iter().copied().filter(|c| *c < width).collect();
    let on_right: Vec<usize> =
        outputs.iter().copied().filter(|c| *c >= width).map(|c| c - width).collect();
    let residual = residual.map(|r| r.remap(&place_in(&outputs)));
    let left_keys = left_keys.into_iter().map(place_in(&on_left)).collect();
    let right_keys = right_keys.into_iter().map(place_in(&on_right)).collect();
    let by = by.remap(place_in(&on_left), place_in(&on_right));
    let made = if matches!(kind, JoinKind::Semi | JoinKind::Anti) { &on_left } else { &outputs };
    let kept = made.iter().map(|&o| fields[o].clone()).collect();
    let left = Box::new(super::prune(*left, &on_left));
    let right = Box::new(super::prune(*right, &on_right));
    let kind = RelKind::TimedJoin { left, right, kind, left_keys, right_keys, residual, by };
    Rel { kind, fields: kept }.select(&places(wanted, &outputs))
}
