//! Filters on joins by time move to the side they are about, unless that side's rows could be missing for the join.
//! Invariant: the versions of a table are never filtered below the join: the version before would then seem valid.

use mainstem_engine::plan::JoinKind;

use super::{keep, split};
use crate::bound::Bound;
use crate::join_time::JoinTime;
use crate::rel::{Rel, RelField, RelKind, columns_of};

/// The join under the conjuncts `parts`.
pub(super) fn filtered(kind: RelKind, fields: Vec<RelField>, parts: Vec<Bound>) -> Rel {
    let RelKind::TimedJoin { left, right, kind, left_keys, right_keys, residual, by } = kind else {
        unreachable!("called for joins by time only")
    };
    let width = left.fields.len();
    let left_stays = !matches!(kind, JoinKind::Right | JoinKind::Full);
    let right_stays = matches!(kind, JoinKind::Inner | JoinKind::Right)
        && !matches!(by, JoinTime::Version { .. });
    let on_left =
        |p: &Bound| left_stays && p.is_deterministic() && columns_of(p).iter().all(|c| *c < width);
    let on_right = |p: &Bound| {
        right_stays && p.is_deterministic() && columns_of(p).iter().all(|c| *c >= width)
    };
    let (to_left, rest) = split(parts, on_left);
    let (to_right, stay) = split(rest, on_right);
    let to_right = to_right.iter().map(|p| p.remap(&|c| c - width)).collect();
    let left = Box::new(super::filtered(*left, to_left));
    let right = Box::new(super::filtered(*right, to_right));
    let kind = RelKind::TimedJoin { left, right, kind, left_keys, right_keys, residual, by };
    keep(Rel { kind, fields }, stay)
}
