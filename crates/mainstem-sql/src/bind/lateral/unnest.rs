//! LATERAL (SELECT ... FROM UNNEST(column of a table before it) ...): the elements are taken out of the table's rows
//! themselves, without a join.
//! Invariant: the conditions and columns of the query are over one row and its element, so they stay where they are.

use super::super::correlation::beside;
use super::super::query::{filter, with_columns};
use crate::bound::{Bound, Reference};
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

/// A table and the elements of an array of each row.
struct Elements {
    rel: Rel,
    /// The columns of the query, over `rel`.
    outputs: Vec<Bound>,
}

/// True for a query of one UNNEST whose array comes from outside.
pub(super) fn is_unnest(rel: &Rel) -> bool {
    match &rel.kind {
        RelKind::Project { input, .. } | RelKind::Filter { input, .. } => is_unnest(input),
        RelKind::Unnest { input, .. } => match &input.kind {
            RelKind::Project { input, .. } => {
                matches!(input.kind, RelKind::Values { rows: 1, .. }) && input.fields.is_empty()
            }
            _ => false,
        },
        _ => false,
    }
}

/// `left` joined with the rows of `right`, of which [`is_unnest`] holds. `depth` is that of `left`'s query.
pub(super) fn joined(
    depth: usize,
    left: Rel,
    right: Rel,
    is_left: bool,
    span: Span,
) -> SqlResult<Rel> {
    let (width, left_fields, fields) =
        (left.fields.len(), left.fields.clone(), right.fields.clone());
    let elements = elements(depth, left, right, is_left, span)?;
    let own = left_fields.iter().enumerate();
    let mut exprs: Vec<Bound> = own.map(|(i, f)| Bound::column(i, f.data_type.clone())).collect();
    exprs.extend(elements.outputs);
    let mut made = left_fields;
    made.extend(fields.into_iter().zip(&exprs[width..]).map(|(field, expr)| RelField {
        data_type: expr.data_type.clone(),
        time: None,
        window: None,
        ..field
    }));
    Ok(Rel { kind: RelKind::Project { input: Box::new(elements.rel), exprs }, fields: made })
}

fn elements(depth: usize, left: Rel, right: Rel, is_left: bool, span: Span) -> SqlResult<Elements> {
    let refuse = |what: &str| {
        Err(SqlError::unsupported(format!("LEFT JOIN LATERAL of UNNEST with {what}"), span)
            .with_hint("write LEFT JOIN UNNEST(...) ON TRUE and the rest outside of it"))
    };
    match right.kind {
        RelKind::Filter { input, predicate } => {
            if is_left {
                return refuse("a condition");
            }
            let below = elements(depth, left, *input, is_left, span)?;
            let predicate = over(depth, &below, &predicate);
            Ok(Elements { rel: filter(below.rel, predicate), ..below })
        }
        RelKind::Project { input, exprs } => {
            if is_left && exprs.iter().any(|e| e.as_column().is_none()) {
                return refuse("computed columns");
            }
            let below = elements(depth, left, *input, is_left, span)?;
            let outputs = exprs.iter().map(|e| over(depth, &below, e)).collect();
            Ok(Elements { outputs, ..below })
        }
        RelKind::Unnest { input, column, flatten, multiset, with_ordinality, .. } => {
            let RelKind::Project { exprs, .. } = input.kind else {
                unreachable!("an array from outside is computed over one row")
            };
            let inner = exprs.len();
            let outside = exprs.iter().map(|e| beside(depth, &left, e));
            let mut outputs: Vec<Bound> = outside.collect();
            let (input, places) = with_columns(left, vec![outputs[column].clone()]);
            let first = input.fields.len();
            let mut fields = input.fields.clone();
            for (i, field) in right.fields[inner..].iter().enumerate() {
                let data_type = field.data_type.with_nullable(field.data_type.nullable || is_left);
                outputs.push(Bound::column(first + i, data_type.clone()));
                fields.push(RelField { data_type, ..field.clone() });
            }
            let kind = RelKind::Unnest {
                input: Box::new(input),
                column: places[0],
                flatten,
                multiset,
                with_ordinality,
                outer: is_left,
            };
            Ok(Elements { rel: Rel { kind, fields }, outputs })
        }
        _ => unreachable!("looked at before"),
    }
}

/// `expr` of the query over the table and its elements.
fn over(own: usize, below: &Elements, expr: &Bound) -> Bound {
    let inner = expr.map_columns(&|column, _| below.outputs[column].clone());
    inner.map_references(&|reference| match reference {
        // The table's columns come first, in their places.
        Reference::OuterColumn { depth, column } if depth == own => {
            Some(Bound::column(column, below.rel.fields[column].data_type.clone()))
        }
        _ => None,
    })
}
