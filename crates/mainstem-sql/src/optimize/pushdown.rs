//! Filters move towards the sources, and into them where the decoder can apply them.
//! Invariant: a filter moves through a node only if the node computes the same rows with it below; expressions that
//! are not deterministic stay where they are. A filter inside a source is applied exactly, so it is dropped here.
//! Event time then follows the rows that pass it.

mod timed_join;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use mainstem_core::TypeKind;
use mainstem_core::table::{FilterOp, Literal, ScanFilter};
use mainstem_engine::plan::JoinKind;

use super::map_inputs;
use crate::bind::{conjunction, conjuncts};
use crate::bound::{Bound, BoundKind};
use crate::catalog::{ColumnSource, ConnectorCatalog, Table};
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField, RelKind, columns_of};

/// Moves every filter as far down as it goes.
pub(super) fn pushdown(rel: Rel) -> Rel {
    let rel = map_inputs(rel, &mut pushdown);
    match rel.kind {
        RelKind::Filter { input, predicate } => {
            let mut parts = Vec::new();
            conjuncts(predicate, &mut parts);
            filtered(*input, parts)
        }
        kind => Rel { kind, fields: rel.fields },
    }
}

/// `rel` under the conjuncts `parts`, each as low as it goes.
pub(super) fn filtered(rel: Rel, parts: Vec<Bound>) -> Rel {
    if parts.is_empty() {
        return rel;
    }
    let fields = rel.fields;
    match rel.kind {
        RelKind::Filter { input, predicate } => {
            let mut all = Vec::new();
            conjuncts(predicate, &mut all);
            all.extend(parts);
            filtered(*input, all)
        }
        RelKind::Project { input, exprs } => {
            let movable = |p: &Bound| {
                p.is_deterministic() && columns_of(p).iter().all(|c| exprs[*c].is_deterministic())
            };
            let (down, stay) = split(parts, movable);
            let down = down.iter().map(|p| p.map_columns(&|c, _| exprs[c].clone())).collect();
            let input = Box::new(filtered(*input, down));
            keep(Rel { kind: RelKind::Project { input, exprs }, fields }, stay)
        }
        RelKind::WindowTable { input, windows } => {
            let width = input.fields.len();
            let below =
                |p: &Bound| p.is_deterministic() && columns_of(p).iter().all(|c| *c < width);
            let (down, stay) = split(parts, below);
            let input = Box::new(filtered(*input, down));
            keep(Rel { kind: RelKind::WindowTable { input, windows }, fields }, stay)
        }
        RelKind::Over { input, partition, order, time, calls } => {
            // Whole partitions may be left out below.
            let whole = |p: &Bound| {
                let read = columns_of(p);
                p.is_deterministic()
                    && !read.is_empty()
                    && read.iter().all(|c| partition.contains(c))
            };
            let (down, stay) = split(parts, whole);
            let input = Box::new(filtered(*input, down));
            let kind = RelKind::Over { input, partition, order, time, calls };
            keep(Rel { kind, fields }, stay)
        }
        RelKind::SessionTable { input, sessions, keys } => {
            // A filter that splits the rows of a key would split its sessions.
            let by_key =
                |p: &Bound| p.is_deterministic() && columns_of(p).iter().all(|c| keys.contains(c));
            let (down, stay) = split(parts, by_key);
            let input = Box::new(filtered(*input, down));
            keep(Rel { kind: RelKind::SessionTable { input, sessions, keys }, fields }, stay)
        }
        RelKind::Rank { .. } => {
            let (rel, stay) = super::rank::filter_partitions(Rel { kind: rel.kind, fields }, parts);
            keep(rel, stay)
        }
        RelKind::MatchRecognize { .. } => {
            let rel = Rel { kind: rel.kind, fields };
            let (rel, stay) = super::match_recognize::filter_keys(rel, parts, filtered);
            keep(rel, stay)
        }
        RelKind::UnionAll { inputs } => {
            let (down, stay) = split(parts, Bound::is_deterministic);
            let inputs = inputs.into_iter().map(|i| filtered(i, down.clone())).collect();
            keep(Rel { kind: RelKind::UnionAll { inputs }, fields }, stay)
        }
        kind @ RelKind::Join {
            kind: JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti,
            ..
        } => below_join(kind, fields, parts),
        kind @ RelKind::TimedJoin { .. } => timed_join::filtered(kind, fields, parts),
        kind => keep(Rel { kind, fields }, parts),
    }
}

pub(super) fn split(parts: Vec<Bound>, first: impl Fn(&Bound) -> bool) -> (Vec<Bound>, Vec<Bound>) {
    parts.into_iter().partition(first)
}

/// Conditions on one side of a join, on that side. All but inner joins keep or lose left rows whatever the columns of
/// those are, and right columns may be NULL behind them.
fn below_join(kind: RelKind, fields: Vec<RelField>, parts: Vec<Bound>) -> Rel {
    let RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms } = kind else {
        unreachable!("called for joins only")
    };
    let width = left.fields.len();
    let on_left = |p: &Bound| p.is_deterministic() && columns_of(p).iter().all(|c| *c < width);
    let on_right = |p: &Bound| {
        kind == JoinKind::Inner && p.is_deterministic() && columns_of(p).iter().all(|c| *c >= width)
    };
    let (to_left, rest) = split(parts, on_left);
    let (to_right, stay) = split(rest, on_right);
    let to_right = to_right.iter().map(|p| p.remap(&|c| c - width)).collect();
    let left = Box::new(filtered(*left, to_left));
    let right = Box::new(filtered(*right, to_right));
    let kind = RelKind::Join { left, right, kind, left_keys, right_keys, residual, ttl_ms };
    keep(Rel { kind, fields }, stay)
}

fn keep(rel: Rel, parts: Vec<Bound>) -> Rel {
    match conjunction(parts) {
        None => rel,
        Some(predicate) => {
            let fields = rel.fields.clone();
            Rel { kind: RelKind::Filter { input: Box::new(rel), predicate }, fields }
        }
    }
}

/// Hands simple conjuncts directly above a scan to the decoder, if its format applies them.
pub(super) fn into_scans(
    rel: Rel,
    connectors: &ConnectorCatalog,
    may_filter: &dyn Fn(&str) -> bool,
) -> Rel {
    let rel = map_inputs(rel, &mut |r| into_scans(r, connectors, may_filter));
    let RelKind::Filter { input, predicate } = rel.kind else { return rel };
    let Rel { kind: RelKind::Scan { table, options, columns, mut filters }, fields } = *input
    else {
        return Rel { kind: RelKind::Filter { input, predicate }, fields: rel.fields };
    };
    let decoded = match connectors.format(&options) {
        Some(format) => format.filters && !format.changelog,
        None => connectors.connector(&options).is_some_and(|c| c.pushdown.filters),
    };
    let applies = decoded
        && connectors.connector(&options).is_some_and(|c| !c.upsert_source)
        && may_filter(&table.name);
    let mut parts = Vec::new();
    conjuncts(predicate, &mut parts);
    let mut stay = Vec::new();
    for part in parts {
        match scan_filter(&part, &table, &columns).filter(|_| applies) {
            Some(filter) => filters.push(filter),
            None => stay.push(part),
        }
    }
    keep(Rel { kind: RelKind::Scan { table, options, columns, filters }, fields }, stay)
}

/// `part` as a comparison of a physical column with a constant. Columns count as in the table.
pub(crate) fn scan_filter(part: &Bound, table: &Table, columns: &[usize]) -> Option<ScanFilter> {
    let (value, op, literal) = comparison(part)?;
    let column = columns[value.as_column()?];
    let physical = matches!(table.columns[column].source, ColumnSource::Physical);
    physical.then_some(ScanFilter { column, op, literal })
}

/// `part` as a comparison of something with a constant.
pub(crate) fn comparison(part: &Bound) -> Option<(&Bound, FilterOp, Literal)> {
    let BoundKind::Call { name, op, args, .. } = &part.kind else { return None };
    if name == "IS NOT NULL" {
        return Some((&args[0], FilterOp::IsNotNull, Literal::Boolean(true)));
    }
    let (value, constant, mirrored) = match (args.first()?, args.get(1)?) {
        (value, constant) if constant.as_literal().is_some() => (value, constant, false),
        (constant, value) => (value, constant, true),
    };
    let op = match (op.as_ref()?, mirrored) {
        (BinaryOp::Eq, _) => FilterOp::Eq,
        (BinaryOp::NotEq, _) => FilterOp::NotEq,
        (BinaryOp::Lt, false) | (BinaryOp::Gt, true) => FilterOp::Lt,
        (BinaryOp::LtEq, false) | (BinaryOp::GtEq, true) => FilterOp::LtEq,
        (BinaryOp::Gt, false) | (BinaryOp::Lt, true) => FilterOp::Gt,
        (BinaryOp::GtEq, false) | (BinaryOp::LtEq, true) => FilterOp::GtEq,
        _ => return None,
    };
    let constant = constant.as_literal().filter(|v| v.is_valid(0))?;
    let literal = match &value.data_type.kind {
        TypeKind::Varchar { .. } => {
            Literal::String(constant.as_string_opt::<i32>()?.value(0).to_owned())
        }
        TypeKind::TinyInt => {
            Literal::Integer(constant.as_primitive_opt::<Int8Type>()?.value(0).into())
        }
        TypeKind::SmallInt => {
            Literal::Integer(constant.as_primitive_opt::<Int16Type>()?.value(0).into())
        }
        TypeKind::Int => {
            Literal::Integer(constant.as_primitive_opt::<Int32Type>()?.value(0).into())
        }
        TypeKind::BigInt => Literal::Integer(constant.as_primitive_opt::<Int64Type>()?.value(0)),
        TypeKind::Double => Literal::Double(constant.as_primitive_opt::<Float64Type>()?.value(0)),
        TypeKind::Boolean => Literal::Boolean(constant.as_boolean_opt()?.value(0)),
        _ => return None,
    };
    Some((value, op, literal))
}

/// Such a comparison as text: the same whether a decoder makes it or an operator.
pub(crate) fn comparison_text(value: &str, op: FilterOp, literal: &Literal) -> String {
    format!("{value} {op:?} {literal:?}")
}
