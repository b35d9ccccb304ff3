//! What a regular join keeps, what bounds it, and, where nothing does, what could.
//! Invariant: a remedy is named only where it works: `ignore` late rows where the condition says when rows expire.

use std::collections::BTreeSet;

use mainstem_engine::plan::{JoinKind, NodeKind, Plan};

use crate::lower::join_expiry::LATE_ROWS;

/// The state of join `index`; rows of the joins `could_expire` would, if late rows did not count.
pub(super) fn state(plan: &Plan, index: usize, could_expire: &BTreeSet<usize>) -> String {
    let node = &plan.nodes[index];
    let NodeKind::Join { kind, expiry, ttl_ms, .. } = &node.kind else { return String::new() };
    let bound = |side: usize| match (expiry[side], ttl_ms[side]) {
        (Some(_), _) => Some("until the watermark passes the end of what they can meet".to_owned()),
        (None, Some(ms)) => Some(format!("until nobody has written them for {ms} ms")),
        (None, None) => None,
    };
    let is_inner = *kind == JoinKind::Inner;
    let retracts = |side: usize| plan.nodes[node.inputs[side]].changelog;
    let free = |side: usize, other: &str| match (is_inner, retracts(side)) {
        (true, false) => format!("until the {other} input has ended: they grow"),
        (true, true) => format!("until they are retracted or the {other} input has ended"),
        (false, true) => "until they are retracted".to_owned(),
        (false, false) => "for ever: they grow".to_owned(),
    };
    match (bound(0), bound(1)) {
        (Some(left), Some(right)) if left == right => format!("rows of both inputs {left}"),
        (Some(left), Some(right)) => format!("left rows {left}; right rows {right}"),
        (Some(left), None) => format!("left rows {left}; right rows {}", free(1, "left")),
        (None, Some(right)) => format!("right rows {right}; left rows {}", free(0, "right")),
        (None, None) if retracts(0) && retracts(1) => {
            "all rows of both inputs, kept until they are retracted".to_owned()
        }
        (None, None) => {
            let ended = if is_inner { " or the other input has ended" } else { "" };
            let late_rows = match could_expire.contains(&index) {
                true => format!(", or SET '{LATE_ROWS}' = 'ignore'"),
                false => String::new(),
            };
            format!(
                "all rows of both inputs, kept until they are retracted{ended}: it grows, as no condition bounds the \
                 difference of two time attributes; add one, or the hint STATE_TTL{late_rows}"
            )
        }
    }
}
