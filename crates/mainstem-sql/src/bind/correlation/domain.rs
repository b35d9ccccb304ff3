//! Conditions that are no equalities, where a sub-query needs keys: the sub-query is joined with the different values
//! that the outer query has, and those values are the keys.
//! Invariant: a NULL of the outer query meets none of the conditions, or the shape is refused: keys that are NULL
//! would find nothing.

use std::collections::BTreeSet;

use mainstem_engine::plan::JoinKind;

use super::{Correlation, Pulled};
use crate::bind::query::{conjunction, distinct, equi_join};
use crate::bound::{Bound, BoundKind, Placeholder};
use crate::error::SqlResult;
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField};

impl Correlation<'_> {
    /// `pulled` with equalities as conditions, and outputs that do not speak of the outer query.
    pub(super) fn with_domain(&self, pulled: Pulled) -> SqlResult<Pulled> {
        let Some(outer) = self.outer else {
            return Err(self.refuse("a condition that is no equality in this place"));
        };
        let mut read = BTreeSet::new();
        for expr in pulled.conditions.iter().chain(&pulled.outputs) {
            self.outer_columns(expr, &mut read);
        }
        let read: Vec<usize> = read.into_iter().collect();
        for &column in &read {
            let is_strict = |c: &Bound| self.is_null_for(c, column);
            if outer.fields[column].data_type.nullable && !pulled.conditions.iter().any(is_strict) {
                return Err(self.refuse("a condition that may hold for NULL"));
            }
        }
        let width = pulled.rel.fields.len();
        let place = |column: usize| {
            width + read.iter().position(|r| *r == column).expect("collected above")
        };
        let type_of = |column: usize| outer.fields[column].data_type.with_nullable(false);
        let inner = |expr: &Bound| {
            expr.map_placeholders(&|placeholder| match placeholder {
                Placeholder::Outer { depth, column } if depth == self.depth => {
                    Some(Bound::column(place(column), type_of(column)))
                }
                _ => None,
            })
        };
        let outputs = pulled.outputs.iter().map(inner).collect();
        let parts: Vec<Bound> = pulled.conditions.iter().map(inner).collect();
        let domain = distinct(outer.clone().select(&read));
        let untimed = |f: &RelField| RelField { time: None, window: None, ..f.clone() };
        let fields: Vec<RelField> =
            pulled.rel.fields.iter().chain(&domain.fields).map(untimed).collect();
        let rel: Rel = equi_join(pulled.rel, domain, JoinKind::Inner, conjunction(parts), fields);
        let mut conditions = Vec::new();
        for &column in &read {
            let data_type = outer.fields[column].data_type.clone();
            let placeholder = Placeholder::Outer { depth: self.depth, column };
            let own = Bound { kind: BoundKind::Placeholder(placeholder), data_type };
            let key = Bound::column(place(column), rel.fields[place(column)].data_type.clone());
            conditions.push(self.binary(BinaryOp::Eq, own, key)?);
        }
        let having = pulled.having.as_ref().map(inner);
        Ok(Pulled { rel, outputs, conditions, always: pulled.always, having })
    }

    /// The columns of the outer query that `expr` reads.
    fn outer_columns(&self, expr: &Bound, read: &mut BTreeSet<usize>) {
        if let BoundKind::Placeholder(Placeholder::Outer { depth, column }) = expr.kind
            && depth == self.depth
        {
            read.insert(column);
        }
        expr.children().into_iter().for_each(|child| self.outer_columns(child, read));
    }

    /// True if `expr` is NULL where the outer column is.
    fn is_null_for(&self, expr: &Bound, wanted: usize) -> bool {
        match &expr.kind {
            BoundKind::Placeholder(Placeholder::Outer { depth, column }) => {
                *depth == self.depth && *column == wanted
            }
            BoundKind::Call { name, op, args, .. } => {
                let passes_null = name == "CAST"
                    || matches!(
                        op,
                        Some(
                            BinaryOp::Eq
                                | BinaryOp::NotEq
                                | BinaryOp::Lt
                                | BinaryOp::LtEq
                                | BinaryOp::Gt
                                | BinaryOp::GtEq
                                | BinaryOp::Add
                                | BinaryOp::Subtract
                                | BinaryOp::Multiply
                                | BinaryOp::Divide
                                | BinaryOp::Modulo
                                | BinaryOp::Like
                                | BinaryOp::NotLike
                        )
                    );
                passes_null && args.iter().any(|arg| self.is_null_for(arg, wanted))
            }
            _ => false,
        }
    }
}
