//! The row loop that every accumulator shares.
//! Invariant: a row is visited if its filter is true and its argument is not NULL; the case without filter, NULL
//! or weight is a plain loop over slices.

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use super::Changes;

/// The rows that count: filter is true and no argument is NULL. `None`: all.
pub(super) fn selection(args: &[ArrayRef], filter: Option<&BooleanArray>) -> Option<BooleanBuffer> {
    let mut mask: Option<BooleanBuffer> = filter.map(|filter| match filter.nulls() {
        Some(nulls) => filter.values() & nulls.inner(),
        None => filter.values().clone(),
    });
    for nulls in args.iter().filter_map(|arg| crate::columns::nulls(arg)) {
        mask = Some(match mask {
            None => nulls.inner().clone(),
            Some(mask) => &mask & nulls.inner(),
        });
    }
    mask
}

/// Calls `visit(row, group, weight)` for the selected rows.
#[inline(always)]
pub(super) fn each_row(
    groups: &[u32],
    selection: Option<&BooleanBuffer>,
    weights: Option<&[i64]>,
    mut visit: impl FnMut(usize, usize, i64),
) {
    match (selection, weights) {
        (None, None) => {
            groups.iter().enumerate().for_each(|(row, &group)| visit(row, group as usize, 1));
        }
        (Some(mask), None) => {
            for row in mask.set_indices() {
                visit(row, groups[row] as usize, 1);
            }
        }
        (None, Some(weights)) => {
            for (row, (&group, &weight)) in groups.iter().zip(weights).enumerate() {
                visit(row, group as usize, weight);
            }
        }
        (Some(mask), Some(weights)) => {
            for row in mask.set_indices() {
                visit(row, groups[row] as usize, weights[row]);
            }
        }
    }
}

/// A step of [`play`].
pub(super) enum Step {
    /// Row, group, weight.
    Change(usize, usize, i64),
    /// Group.
    Read(usize),
}

/// Calls `take` with the selected changes and the reads between them, in order.
#[inline(always)]
pub(super) fn play(changes: &Changes<'_>, mut take: impl FnMut(Step)) {
    let mask = selection(changes.args, changes.filter);
    let mut next = 0;
    for &(after, group) in changes.reads {
        for row in next..after as usize {
            if mask.as_ref().is_none_or(|mask| mask.value(row)) {
                let weight = changes.weights.map_or(1, |weights| weights[row]);
                take(Step::Change(row, changes.groups[row] as usize, weight));
            }
        }
        next = after as usize;
        take(Step::Read(group as usize));
    }
    for row in next..changes.groups.len() {
        if mask.as_ref().is_none_or(|mask| mask.value(row)) {
            let weight = changes.weights.map_or(1, |weights| weights[row]);
            take(Step::Change(row, changes.groups[row] as usize, weight));
        }
    }
}

/// Grows per-group state so that every group has a value.
#[inline]
pub(super) fn grow<T: Clone + Default>(state: &mut Vec<T>, group_count: usize) {
    if state.len() < group_count {
        state.resize(group_count, T::default());
    }
}

/// Valid bits, or none if all are valid.
pub(super) fn validity(valid: impl Iterator<Item = bool>) -> Option<NullBuffer> {
    Some(valid.collect::<NullBuffer>()).filter(|nulls| nulls.null_count() > 0)
}
