//! GROUP BY over a window table function assigns windows itself: the rows are not multiplied, slices are shared, and
//! of sessions no rows are kept.
//! Invariant: sessions are fused only with a GROUP BY of exactly the columns that they are partitioned by.

use std::collections::BTreeSet;

use mainstem_engine::plan::Expanded;

use super::map_inputs;
use crate::bound::Bound;
use crate::rel::{Rel, RelField, RelKind, Sessions, WindowSource, Windows, columns_of};

/// Fuses every window aggregate with the window table function right below its projection.
pub(super) fn fuse(rel: Rel) -> Rel {
    let rel = map_inputs(rel, &mut fuse);
    let RelKind::WindowAggregate { mut input, keys, aggregates, mut windows } = rel.kind else {
        return rel;
    };
    // A call that reads a bound of the window needs the column.
    let read = aggregates.iter().flat_map(|call| call.args.iter().chain(&call.filter));
    let reads_bounds = read.into_iter().any(|&column| input.fields[column].window.is_some());
    if !reads_bounds && let Some((below, source)) = fused_input(&input, &keys, &windows) {
        *input = below;
        windows = source;
    }
    Rel { kind: RelKind::WindowAggregate { input, keys, aggregates, windows }, fields: rel.fields }
}

/// The projection over what is below the window table function, with the time column behind it. The columns that
/// held window bounds hold NULL: nobody but the window itself read them.
fn fused_input(input: &Rel, keys: &[usize], windows: &WindowSource) -> Option<(Rel, WindowSource)> {
    let WindowSource::Attached { start, end, emit: None, .. } = windows else { return None };
    if let RelKind::Expand { input: below, layouts } = &input.kind {
        return fused_below_sets(below, layouts, &input.fields, windows);
    }
    let RelKind::Project { input: table, exprs } = &input.kind else { return None };
    let (source, time) = match &table.kind {
        RelKind::WindowTable { input, windows } => (input, windows.time),
        RelKind::SessionTable { input, sessions, keys: partition } => {
            let by = |&key: &usize| exprs[key].as_column();
            let by: BTreeSet<Option<usize>> = keys.iter().map(by).collect();
            if by != partition.iter().copied().map(Some).collect() {
                return None;
            }
            (input, sessions.time)
        }
        _ => return None,
    };
    let width = source.fields.len();
    let mut below = Vec::new();
    let mut fields: Vec<RelField> = input.fields.clone();
    for (i, expr) in exprs.iter().enumerate() {
        let touches_window = columns_of(expr).iter().any(|c| *c >= width);
        let is_bound = i == *start || i == *end || fields[i].window.is_some();
        match (touches_window, is_bound) {
            (false, _) => below.push(expr.clone()),
            (true, true) if expr.as_column().is_some() => below.push(Bound::null(&expr.data_type)),
            (true, _) => return None,
        }
    }
    let time = time.map(|time| {
        below.push(Bound::column(time, source.fields[time].data_type.clone()));
        fields.push(source.fields[time].clone());
        below.len() - 1
    });
    let windows = match &table.kind {
        RelKind::WindowTable { windows: Windows { spec, .. }, .. } => {
            WindowSource::Assign(Windows { spec: spec.clone(), time })
        }
        RelKind::SessionTable { sessions: Sessions { spec, .. }, .. } => {
            WindowSource::Sessions(Sessions { spec: spec.clone(), time })
        }
        _ => return None,
    };
    let kind = RelKind::Project { input: source.clone(), exprs: below };
    Some((Rel { kind, fields }, windows))
}

/// GROUPING SETS between the aggregate and the windows: the time column comes with every layout. Sessions stay: they
/// are not those of the sets' keys.
fn fused_below_sets(
    below: &Rel,
    layouts: &[Vec<Expanded>],
    fields: &[RelField],
    windows: &WindowSource,
) -> Option<(Rel, WindowSource)> {
    let mut attached = windows.clone();
    let WindowSource::Attached { start, end, .. } = &mut attached else { return None };
    for bound in [start, end] {
        let first = layouts.first()?[*bound];
        let Expanded::Column(column) = first else { return None };
        if layouts.iter().any(|layout| layout[*bound] != first) {
            return None;
        }
        *bound = column;
    }
    let RelKind::Project { input: table, .. } = &below.kind else { return None };
    if !matches!(table.kind, RelKind::WindowTable { .. }) {
        return None;
    }
    let (input, mut source) = fused_input(below, &[], &attached)?;
    let mut layouts = layouts.to_vec();
    let mut fields = fields.to_vec();
    if let WindowSource::Assign(Windows { time: Some(time), .. }) = &mut source {
        layouts.iter_mut().for_each(|layout| layout.push(Expanded::Column(*time)));
        fields.push(input.fields[*time].clone());
        *time = fields.len() - 1;
    }
    Some((Rel { kind: RelKind::Expand { input: Box::new(input), layouts }, fields }, source))
}
