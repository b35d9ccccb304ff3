//! UNION, INTERSECT, EXCEPT, with and without ALL.
//! Invariant: rows are the same if all their columns are, NULLs being equal. INTERSECT and EXCEPT group the rows of
//! both sides and look at which side has them.

use std::sync::Arc;

use arrow_array::Int8Array;
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::aggregate::{AggregateCall, builtin};

use super::Binder;
use super::expr::ExprBinder;
use super::query::{distinct, filter, with_columns};
use crate::ast::SetOperator;
use crate::bound::Bound;
use crate::coercion;
use crate::error::{SqlError, SqlResult};
use crate::operators::{BinaryOp, UnaryOp};
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

impl Binder<'_> {
    /// `left op right`.
    pub(super) fn set_operation(
        &self,
        op: SetOperator,
        all: bool,
        left: Rel,
        right: Rel,
        span: Span,
    ) -> SqlResult<Rel> {
        let name = format!("{op:?}").to_uppercase();
        let union = self.union(vec![left, right], &name, span)?;
        match (op, all) {
            (SetOperator::Union, true) => Ok(union),
            (SetOperator::Union, false) => Ok(distinct(union)),
            (_, false) => self.members(union, op == SetOperator::Intersect, span),
            (_, true) => self.occurrences(union, op == SetOperator::Intersect, span),
        }
    }

    /// All rows of all inputs, as their common types.
    pub(super) fn union(&self, inputs: Vec<Rel>, name: &str, span: Span) -> SqlResult<Rel> {
        let width = inputs[0].fields.len();
        if inputs.iter().any(|i| i.fields.len() != width) {
            let message = format!("both sides of {name} need the same number of columns");
            return Err(SqlError::new(message, span));
        }
        let mut fields = inputs[0].fields.clone();
        for (i, field) in fields.iter_mut().enumerate() {
            let types: Vec<DataType> =
                inputs.iter().map(|r| r.fields[i].data_type.clone()).collect();
            field.data_type = coercion::common_type(&types).ok_or_else(|| {
                let message = format!(
                    "column {} of {name} is {} on one side and {} on the other",
                    i + 1,
                    types[0],
                    types[1]
                );
                SqlError::new(message, span).with_hint("add a CAST")
            })?;
            let same =
                |r: &Rel| r.fields[i].time == field.time && r.fields[i].window == field.window;
            if !inputs.iter().all(same) {
                field.time = None;
                field.window = None;
            }
            field.qualifier = None;
        }
        let inputs = inputs
            .into_iter()
            .map(|rel| self.cast_columns(rel, &fields, span))
            .collect::<SqlResult<Vec<_>>>()?;
        Ok(Rel { kind: RelKind::UnionAll { inputs }, fields })
    }

    /// A projection that casts each column to the type of `fields`, if any has to be.
    fn cast_columns(&self, rel: Rel, fields: &[RelField], span: Span) -> SqlResult<Rel> {
        let binder = self.expressions(&[]);
        let mut exprs = Vec::new();
        for (i, field) in fields.iter().enumerate() {
            let column = Bound::column(i, rel.fields[i].data_type.clone());
            exprs.push(binder.coerce(column, &field.data_type, span)?);
        }
        if exprs.iter().all(|e| e.as_column().is_some()) {
            return Ok(rel);
        }
        Ok(Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields: fields.to_vec() })
    }

    /// The different rows of the first input that the second one has, or has not.
    fn members(&self, union: Rel, in_both: bool, span: Span) -> SqlResult<Rel> {
        let width = union.fields.len();
        // A greatest mark changes when the first such row comes and when the last one goes, a count with every row.
        let rel = grouped_by_side(union, "MAX", TypeKind::TinyInt.nullable(), span)?;
        let binder = self.expressions(&[]);
        let side = |at: usize, op| {
            let mark = Bound::column(width + at, rel.fields[width + at].data_type.clone());
            binder.unary_bound(op, mark, span)
        };
        let of_right = if in_both { UnaryOp::IsNotNull } else { UnaryOp::IsNull };
        let (left, right) = (side(0, UnaryOp::IsNotNull)?, side(1, of_right)?);
        let predicate = binder.binary(BinaryOp::And, left, right, span)?;
        let columns: Vec<usize> = (0..width).collect();
        Ok(filter(rel, predicate).select(&columns))
    }

    /// Each row as often as it is in both inputs, or as it is in the first more often than in the second.
    fn occurrences(&self, union: Rel, in_both: bool, span: Span) -> SqlResult<Rel> {
        let width = union.fields.len();
        let rel = grouped_by_side(union, "COUNT", TypeKind::BigInt.not_null(), span)?;
        let binder = self.expressions(&[]);
        let count = |at: usize| Bound::column(width + at, TypeKind::BigInt.not_null());
        let times = times(&binder, count(0), count(1), in_both, span)?;
        let mut fields = rel.fields[..width].to_vec();
        let mut exprs: Vec<Bound> =
            fields.iter().enumerate().map(|(i, f)| Bound::column(i, f.data_type.clone())).collect();
        exprs.push(times);
        let mut counted = fields.clone();
        counted.push(RelField::new("times", TypeKind::BigInt.not_null()));
        let input = Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields: counted };
        fields.iter_mut().for_each(|f| f.qualifier = None);
        Ok(Rel {
            kind: RelKind::Repeat { input: Box::new(input), column: width, signed: false },
            fields,
        })
    }
}

/// How often a row comes out; less than once is not at all.
fn times(
    binder: &ExprBinder<'_>,
    left: Bound,
    right: Bound,
    in_both: bool,
    span: Span,
) -> SqlResult<Bound> {
    if !in_both {
        return binder.binary(BinaryOp::Subtract, left, right, span);
    }
    let fewer = binder.binary(BinaryOp::Lt, left.clone(), right.clone(), span)?;
    binder.case_of(vec![(fewer, left)], right, span)
}

/// The rows of both inputs of a union, grouped by all columns, with an aggregate of the marks of each side: a mark is
/// 1 in the rows of its side and NULL in the others.
fn grouped_by_side(union: Rel, name: &str, data_type: DataType, span: Span) -> SqlResult<Rel> {
    let RelKind::UnionAll { inputs } = union.kind else {
        unreachable!("made by the union of two inputs")
    };
    let width = union.fields.len();
    let mark_type = TypeKind::TinyInt.nullable();
    let marked = |(at, rel): (usize, Rel)| {
        let mark = |own| Bound::literal(Arc::new(Int8Array::from(vec![own])), mark_type.clone());
        let marks = [0, 1].map(|side| mark((side == at).then_some(1)));
        with_columns(rel, marks.to_vec()).0
    };
    let inputs = inputs.into_iter().enumerate().map(marked).collect();
    let mut fields: Vec<RelField> =
        union.fields.iter().map(|f| RelField { time: None, window: None, ..f.clone() }).collect();
    let mut below = fields.clone();
    let mut aggregates = Vec::new();
    for side in ["left", "right"] {
        let Some((function, _)) = builtin(name, std::slice::from_ref(&mark_type)) else {
            return Err(SqlError::unsupported(name, span));
        };
        let args = vec![below.len()];
        aggregates.push(AggregateCall { function, args, filter: None, distinct: false });
        below.push(RelField::new(side, mark_type.clone()));
        fields.push(RelField::new(side, data_type.clone()));
    }
    let union = Rel { kind: RelKind::UnionAll { inputs }, fields: below };
    let keys = (0..width).collect();
    let kind = RelKind::Aggregate { input: Box::new(union), keys, aggregates };
    Ok(Rel { kind, fields })
}
