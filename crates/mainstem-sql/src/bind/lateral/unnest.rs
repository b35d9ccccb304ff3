//! LATERAL (SELECT ... FROM UNNEST(column of a table before it) ...): the elements are taken out of the table's rows
//! themselves, without a join.
//! Invariant: the conditions and columns of the query are over one row and its element, so they stay where they are. Of an
//! outer join the conditions say which elements there are, and what is computed for a row without one is NULL.

use mainstem_core::TypeKind;

use super::super::correlation::beside;
use super::super::expr::ExprBinder;
use super::super::query::{conjunction, filter, with_columns};
use crate::bound::{Bound, Reference};
use crate::error::SqlResult;
use crate::operators::UnaryOp;
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

/// What is joined how.
#[derive(Clone, Copy)]
pub(super) struct Unnesting<'a> {
    pub(super) binder: &'a ExprBinder<'a>,
    /// That of the left side's query.
    pub(super) depth: usize,
    pub(super) is_left: bool,
    pub(super) span: Span,
}

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

/// An outer UNNEST, perhaps under projections, of those elements for which `condition` holds; it is over the columns of `rel`.
pub(in super::super) fn of_those(rel: Rel, condition: Bound) -> Rel {
    let fields = rel.fields;
    let kind = match rel.kind {
        RelKind::Project { input, exprs } => {
            let condition = condition.map_columns(&|column, _| exprs[column].clone());
            RelKind::Project { input: Box::new(of_those(*input, condition)), exprs }
        }
        RelKind::Unnest {
            input,
            column,
            flatten,
            multiset,
            with_ordinality,
            outer,
            condition: own,
        } => {
            let condition = conjunction(own.into_iter().chain([condition]).collect());
            RelKind::Unnest { input, column, flatten, multiset, with_ordinality, outer, condition }
        }
        _ => unreachable!("an outer UNNEST is asked for"),
    };
    Rel { kind, fields }
}

impl Unnesting<'_> {
    /// `left` joined with the rows of `right`, of which [`is_unnest`] holds.
    pub(super) fn joined(self, left: Rel, right: Rel) -> SqlResult<Rel> {
        let (width, left_fields, fields) =
            (left.fields.len(), left.fields.clone(), right.fields.clone());
        let elements = self.elements(left, right)?;
        let own = left_fields.iter().enumerate();
        let mut exprs: Vec<Bound> =
            own.map(|(i, f)| Bound::column(i, f.data_type.clone())).collect();
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

    fn elements(self, left: Rel, right: Rel) -> SqlResult<Elements> {
        match right.kind {
            RelKind::Filter { input, predicate } => {
                let below = self.elements(left, *input)?;
                let predicate = over(self.depth, &below, &predicate);
                let restricted = if self.is_left { of_those } else { filter };
                Ok(Elements { rel: restricted(below.rel, predicate), ..below })
            }
            RelKind::Project { input, exprs } => {
                let below = self.elements(left, *input)?;
                let mut outputs = Vec::with_capacity(exprs.len());
                for expr in &exprs {
                    let output = over(self.depth, &below, expr);
                    let is_element = !self.is_left || expr.as_column().is_some();
                    outputs.push(if is_element { output } else { self.if_there(&below, output)? });
                }
                Ok(Elements { outputs, ..below })
            }
            RelKind::Unnest { .. } => Ok(self.unnested(left, right)),
            _ => unreachable!("looked at before"),
        }
    }

    /// `output`, but NULL for a row without elements.
    fn if_there(self, below: &Elements, output: Bound) -> SqlResult<Bound> {
        let ordinal = Bound::column(below.rel.fields.len() - 1, TypeKind::Int.nullable());
        let there = self.binder.unary_bound(UnaryOp::IsNotNull, ordinal, self.span)?;
        let nothing = Bound::null(&output.data_type);
        self.binder.case_of(vec![(there, output)], nothing, self.span)
    }

    /// The elements as they are; of an outer join always with their position as the last column.
    fn unnested(self, left: Rel, right: Rel) -> Elements {
        let RelKind::Unnest { input, column, flatten, multiset, with_ordinality, .. } = right.kind
        else {
            unreachable!("called for UNNEST only")
        };
        let RelKind::Project { exprs, .. } = input.kind else {
            unreachable!("an array from outside is computed over one row")
        };
        let inner = exprs.len();
        let mut outputs: Vec<Bound> = exprs.iter().map(|e| beside(self.depth, &left, e)).collect();
        let (input, places) = with_columns(left, vec![outputs[column].clone()]);
        let first = input.fields.len();
        let mut fields = input.fields.clone();
        for (i, field) in right.fields[inner..].iter().enumerate() {
            let nullable = field.data_type.nullable || self.is_left;
            let data_type = field.data_type.with_nullable(nullable);
            outputs.push(Bound::column(first + i, data_type.clone()));
            fields.push(RelField { data_type, ..field.clone() });
        }
        if self.is_left && !with_ordinality {
            fields.push(RelField::new("ordinality", TypeKind::Int.nullable()));
        }
        let kind = RelKind::Unnest {
            input: Box::new(input),
            column: places[0],
            flatten,
            multiset,
            with_ordinality: with_ordinality || self.is_left,
            outer: self.is_left,
            condition: None,
        };
        Elements { rel: Rel { kind, fields }, outputs }
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
