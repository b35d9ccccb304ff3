//! GROUP BY over a window table function assigns windows itself: the rows are not multiplied, slices are shared.

use super::map_inputs;
use crate::bound::Bound;
use crate::rel::{Rel, RelField, RelKind, WindowSource, Windows, columns_of};

/// Fuses every window aggregate with the window table function right below its projection.
pub(super) fn fuse(rel: Rel) -> Rel {
    let rel = map_inputs(rel, &mut fuse);
    let RelKind::WindowAggregate { input, keys, aggregates, windows } = rel.kind else {
        return rel;
    };
    let fields = rel.fields;
    match (*input, windows) {
        (
            Rel { kind: RelKind::Project { input: table, exprs }, fields: projected },
            WindowSource::Attached { start, end, processing_time },
        ) => match fused_input(&table, &exprs, &projected, start, end) {
            Some((input, windows)) => {
                let input = Box::new(input);
                let windows = WindowSource::Assign(windows);
                Rel { kind: RelKind::WindowAggregate { input, keys, aggregates, windows }, fields }
            }
            None => {
                let input = Box::new(Rel {
                    kind: RelKind::Project { input: table, exprs },
                    fields: projected,
                });
                let windows = WindowSource::Attached { start, end, processing_time };
                Rel { kind: RelKind::WindowAggregate { input, keys, aggregates, windows }, fields }
            }
        },
        (input, windows) => {
            let kind =
                RelKind::WindowAggregate { input: Box::new(input), keys, aggregates, windows };
            Rel { kind, fields }
        }
    }
}

/// The projection over what is below the window table function, with the time column behind it. The columns that
/// held window bounds hold NULL: nobody but the window itself read them.
fn fused_input(
    table: &Rel,
    exprs: &[Bound],
    fields: &[RelField],
    start: usize,
    end: usize,
) -> Option<(Rel, Windows)> {
    let RelKind::WindowTable { input, windows } = &table.kind else { return None };
    let width = input.fields.len();
    let mut below = Vec::new();
    let mut below_fields = fields.to_vec();
    for (i, expr) in exprs.iter().enumerate() {
        let touches_window = columns_of(expr).iter().any(|c| *c >= width);
        let is_bound = i == start || i == end || fields[i].window.is_some();
        match (touches_window, is_bound) {
            (false, _) => below.push(expr.clone()),
            (true, true) if expr.as_column().is_some() => below.push(Bound::null(&expr.data_type)),
            (true, _) => return None,
        }
    }
    let mut windows = windows.clone();
    if let Some(time) = windows.time {
        windows.time = Some(below.len());
        below.push(Bound::column(time, input.fields[time].data_type.clone()));
        below_fields.push(input.fields[time].clone());
    }
    let kind = RelKind::Project { input: input.clone(), exprs: below };
    Some((Rel { kind, fields: below_fields }, windows))
}
