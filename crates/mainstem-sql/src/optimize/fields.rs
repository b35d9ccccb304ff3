//! Fields of ROWs are taken out below a filter, not above it: the filter then copies the fields that are read and not
//! whole ROWs.
//! Invariant: a ROW that is also read whole is left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::map_inputs;
use crate::bound::{Bound, BoundKind};
use crate::rel::{Rel, RelField, RelKind, columns_of};

/// Rewrites every projection of a filter that reads fields of its input.
pub(super) fn below_filters(rel: Rel) -> Rel {
    let rel = map_inputs(rel, &mut below_filters);
    let fields = rel.fields;
    let RelKind::Project { input, exprs } = rel.kind else {
        return Rel { kind: rel.kind, fields };
    };
    let RelKind::Filter { input: source, predicate } = input.kind else {
        return Rel { kind: RelKind::Project { input, exprs }, fields };
    };
    let mut paths = Vec::new();
    let mut whole = BTreeSet::new();
    exprs.iter().chain([&predicate]).for_each(|e| collect(e, &mut paths, &mut whole));
    paths.retain(|path| columns_of(path).is_disjoint(&whole));
    if paths.is_empty() {
        let input =
            Rel { kind: RelKind::Filter { input: source, predicate }, fields: input.fields };
        return Rel { kind: RelKind::Project { input: Box::new(input), exprs }, fields };
    }
    let mut made: Vec<Bound> = Vec::new();
    let mut made_fields: Vec<RelField> = Vec::new();
    let mut moved = BTreeMap::new();
    for &column in &whole {
        moved.insert(column, made.len());
        made.push(Bound::column(column, source.fields[column].data_type.clone()));
        made_fields.push(source.fields[column].clone());
    }
    for path in &paths {
        made.push(path.clone());
        made_fields.push(RelField::new(last_name(path), path.data_type.clone()));
    }
    let first_path = whole.len();
    let over = |e: &Bound| replaced(e, &paths, first_path, &moved);
    let exprs = exprs.iter().map(over).collect();
    let predicate = over(&predicate);
    let taken =
        Rel { kind: RelKind::Project { input: source, exprs: made }, fields: made_fields.clone() };
    let filter = RelKind::Filter { input: Box::new(taken), predicate };
    let input = Box::new(Rel { kind: filter, fields: made_fields });
    Rel { kind: RelKind::Project { input, exprs }, fields }
}

/// `expr` as a chain of fields of one column.
pub(crate) fn is_path(expr: &Bound) -> bool {
    match &expr.kind {
        BoundKind::Field { base, .. } => base.as_column().is_some() || is_path(base),
        _ => false,
    }
}

fn last_name(path: &Bound) -> &str {
    match &path.kind {
        BoundKind::Field { name, .. } => name,
        _ => "",
    }
}

fn collect(expr: &Bound, paths: &mut Vec<Bound>, whole: &mut BTreeSet<usize>) {
    if is_path(expr) {
        if !paths.iter().any(|p| p.fingerprint() == expr.fingerprint()) {
            paths.push(expr.clone());
        }
        return;
    }
    whole.extend(expr.as_column());
    expr.children().into_iter().for_each(|child| collect(child, paths, whole));
}

fn replaced(
    expr: &Bound,
    paths: &[Bound],
    first_path: usize,
    moved: &BTreeMap<usize, usize>,
) -> Bound {
    if is_path(expr) {
        let name = expr.fingerprint();
        if let Some(place) = paths.iter().position(|p| p.fingerprint() == name) {
            return Bound::column(first_path + place, expr.data_type.clone());
        }
    }
    match expr.as_column() {
        Some(column) => Bound::column(moved[&column], expr.data_type.clone()),
        None => expr.map_children(&mut |child| replaced(child, paths, first_path, moved)),
    }
}
