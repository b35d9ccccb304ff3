//! Which rows of a regular join find no more partners once the watermark has passed them.
//! Invariant: what is found follows from the condition alone: `rowtime of one side <= column of the other (+ a constant)`
//! leaves a row of the other side without further partners when no rowtime at or before that comes any more. Rows later than
//! the watermark still come, and Flink joins them; so this is asked for, by [`LATE_ROWS`], and never assumed.

use std::collections::BTreeMap;

use arrow_schema::DataType as ArrowType;
use mainstem_engine::plan::{Expiry, JoinKind};

use crate::bind::{conjuncts, moved};
use crate::bound::{Bound, BoundKind};
use crate::error::{SqlError, SqlResult};
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField, RelKind, TimeAttribute};
use crate::source::Span;

/// `keep` (as Flink): rows later than the watermark join all rows. `ignore`: they may miss partners.
pub(crate) const LATE_ROWS: &str = "mainstem.join.late-rows";

/// Whether late rows may miss partners.
pub(super) fn ignores_late_rows(settings: &BTreeMap<String, String>) -> SqlResult<bool> {
    settings.get(LATE_ROWS).map_or(Ok(false), |value| is_ignore(value, Span::default()))
}

/// What a value of [`LATE_ROWS`], set at `span`, says.
pub(crate) fn is_ignore(value: &str, span: Span) -> SqlResult<bool> {
    match value {
        "keep" => Ok(false),
        "ignore" => Ok(true),
        _ => Err(SqlError::new(format!("unknown value '{value}' of {LATE_ROWS}"), span).with_hint(
            "keep joins rows later than the watermark with all rows, ignore lets joins forget what only they could meet",
        )),
    }
}

/// When rows of either side expire, if late rows do not count.
pub(super) fn expiry(rel: &Rel) -> [Option<Expiry>; 2] {
    let RelKind::Join { left, right, kind: JoinKind::Inner, residual: Some(residual), .. } =
        &rel.kind
    else {
        return [None; 2];
    };
    let fields: Vec<RelField> = left.fields.iter().chain(&right.fields).cloned().collect();
    let width = left.fields.len();
    let mut parts = Vec::new();
    conjuncts(residual.clone(), &mut parts);
    let mut found = [None; 2];
    for part in &parts {
        let BoundKind::Call { op: Some(op), args, .. } = &part.kind else { continue };
        let [a, b] = args.as_slice() else { continue };
        let bounds = match op {
            BinaryOp::LtEq | BinaryOp::Lt => vec![(a, b)],
            BinaryOp::GtEq | BinaryOp::Gt => vec![(b, a)],
            BinaryOp::Eq => vec![(a, b), (b, a)],
            _ => continue,
        };
        for (earlier, later) in bounds {
            let Some((side, expiry)) = bound(earlier, later, &fields, width) else { continue };
            found[side] = found[side].or(Some(expiry));
        }
    }
    found
}

/// What `earlier <= later` says: the side whose rows expire, and when.
fn bound(
    earlier: &Bound,
    later: &Bound,
    fields: &[RelField],
    width: usize,
) -> Option<(usize, Expiry)> {
    let (rowtime, ahead_ms) = moved(earlier, &|column| {
        fields.get(column).is_some_and(|field| field.time == Some(TimeAttribute::Event))
    })?;
    let (column, after_ms) = moved(later, &|column| {
        let arrow = fields.get(column).map(|field| field.data_type.to_arrow());
        matches!(arrow, Some(ArrowType::Timestamp(..)))
    })?;
    let side = usize::from(column >= width);
    if side == usize::from(rowtime >= width) || !same_kind(&fields[rowtime], &fields[column]) {
        return None;
    }
    let column = if side == 0 { column } else { column - width };
    Some((side, Expiry { column, after_ms: after_ms.checked_sub(ahead_ms)? }))
}

/// A time with a zone is no time on the clock.
fn same_kind(a: &RelField, b: &RelField) -> bool {
    let zoned =
        |field: &RelField| matches!(field.data_type.to_arrow(), ArrowType::Timestamp(_, Some(_)));
    zoned(a) == zoned(b)
}
