//! Conditions that are no equalities, where a sub-query needs keys: the sub-query is joined with the different values
//! that the outer query has, and those values are the keys.
//! Invariant: keys that are NULL find nothing, so a NULL of the outer query meets none of the conditions, or the keys
//! are compared so that NULL equals NULL.

use std::collections::BTreeSet;

use mainstem_engine::plan::JoinKind;

use super::{Correlation, Pulled};
use crate::bind::expr::{ExprBinder, string, zero};
use crate::bind::query::{conjunction, distinct, equi_join};
use crate::bound::{Bound, BoundKind, Reference};
use crate::cast::CastMode;
use crate::error::SqlResult;
use crate::operators::{BinaryOp, UnaryOp};
use crate::rel::{Rel, RelField};

/// Different values of columns of the outer query, joined to a relation.
pub(super) struct Domain {
    /// The relation, then the columns.
    pub(super) rel: Rel,
    /// The columns of the outer query.
    read: Vec<usize>,
    /// Where they start.
    first: usize,
}

impl Domain {
    /// How many columns there are.
    pub(super) fn width(&self) -> usize {
        self.read.len()
    }
}

impl Correlation<'_> {
    /// `rel` with each of the different values of the outer columns in `conditions` and `more` for which `conditions`
    /// hold.
    pub(super) fn domain(
        &self,
        rel: Rel,
        conditions: &[Bound],
        more: &[Bound],
    ) -> SqlResult<Domain> {
        let Some(outer) = self.outer else {
            return Err(self.refuse("a condition that is no equality in this place"));
        };
        let mut read = BTreeSet::new();
        conditions.iter().chain(more).for_each(|expr| self.outer_columns(expr, &mut read));
        let read: Vec<usize> = read.into_iter().collect();
        let first = rel.fields.len();
        let values = distinct(outer.clone().select(&read));
        let untimed = |f: &RelField| RelField { time: None, window: None, ..f.clone() };
        let fields: Vec<RelField> = rel.fields.iter().chain(&values.fields).map(untimed).collect();
        let mut domain = Domain { rel, read, first };
        let parts: Vec<Bound> = conditions.iter().map(|c| self.within(&domain, c)).collect();
        domain.rel = equi_join(domain.rel, values, JoinKind::Inner, conjunction(parts), fields);
        Ok(domain)
    }

    /// `expr` with the columns of the domain for those of the outer query.
    pub(super) fn within(&self, domain: &Domain, expr: &Bound) -> Bound {
        let Some(outer) = self.outer else { return expr.clone() };
        expr.map_references(&|reference| match reference {
            Reference::OuterColumn { depth, column } if depth == self.depth => {
                let place = domain.read.iter().position(|read| *read == column)?;
                let data_type = outer.fields[column].data_type.clone();
                Some(Bound::column(domain.first + place, data_type))
            }
            _ => None,
        })
    }

    /// The values of the domain are those of the outer row. Where one of `conditions` is never TRUE for NULL, NULLs
    /// need not meet.
    pub(super) fn on_domain(&self, domain: &Domain, conditions: &[Bound]) -> SqlResult<Vec<Bound>> {
        let Some(outer) = self.outer else { return Ok(Vec::new()) };
        let key = |(place, &column): (usize, &usize)| {
            Bound::column(domain.first + place, outer.fields[column].data_type.clone())
        };
        let keys = domain.read.iter().enumerate().map(key).collect();
        self.on_values(domain, keys, conditions)
    }

    /// The same for the values `keys`.
    pub(super) fn on_values(
        &self,
        domain: &Domain,
        keys: Vec<Bound>,
        conditions: &[Bound],
    ) -> SqlResult<Vec<Bound>> {
        let Some(outer) = self.outer else { return Ok(Vec::new()) };
        let mut parts = Vec::new();
        for (&column, key) in domain.read.iter().zip(keys) {
            let data_type = outer.fields[column].data_type.clone();
            let reference = Reference::OuterColumn { depth: self.depth, column };
            let own = Bound { kind: BoundKind::Reference(reference), data_type };
            let nulls_meet = own.data_type.nullable
                && !conditions.iter().any(|condition| self.is_null_for(condition, column));
            parts.extend(self.same(own, key, nulls_meet)?);
        }
        Ok(parts)
    }

    /// `a` equals `b`, or both are NULL if those meet.
    pub(super) fn same(&self, a: Bound, b: Bound, nulls_meet: bool) -> SqlResult<Vec<Bound>> {
        if !nulls_meet {
            return Ok(vec![self.binary(BinaryOp::Eq, a, b)?]);
        }
        let binder = ExprBinder::new(self.session, &[]);
        let both = [a, b];
        let nulls = both.clone().map(|e| binder.unary_bound(UnaryOp::IsNull, e, self.span));
        let [left, right] = nulls;
        let nulls = self.binary(BinaryOp::Eq, left?, right?)?;
        let [left, right] = both.map(|e| self.or_some(e));
        Ok(vec![nulls, self.binary(BinaryOp::Eq, left?, right?)?])
    }

    /// `expr`, or some value of its type where it is NULL.
    fn or_some(&self, expr: Bound) -> SqlResult<Bound> {
        let binder = ExprBinder::new(self.session, &[]);
        let data_type = expr.data_type.with_nullable(false);
        let some = match &data_type.kind {
            kind if kind.is_string() => string(""),
            kind if kind.is_numeric() => {
                binder.cast(zero(), &data_type, CastMode::Implicit, self.span)?
            }
            _ => return Err(self.refuse("a condition that may hold for NULL")),
        };
        Ok(Bound { kind: BoundKind::Coalesce(vec![expr, some]), data_type })
    }

    /// `pulled` with equalities as conditions, and outputs that do not speak of the outer query.
    pub(super) fn with_domain(&self, pulled: Pulled) -> SqlResult<Pulled> {
        let domain = self.domain(pulled.rel, &pulled.conditions, &pulled.outputs)?;
        let inner = |expr: &Bound| self.within(&domain, expr);
        let outputs = pulled.outputs.iter().map(inner).collect();
        let having = pulled.having.as_ref().map(inner);
        let conditions = self.on_domain(&domain, &pulled.conditions)?;
        Ok(Pulled { rel: domain.rel, outputs, conditions, always: pulled.always, having })
    }

    /// The columns of the outer query that `expr` reads.
    fn outer_columns(&self, expr: &Bound, read: &mut BTreeSet<usize>) {
        if let BoundKind::Reference(Reference::OuterColumn { depth, column }) = expr.kind
            && depth == self.depth
        {
            read.insert(column);
        }
        expr.children().into_iter().for_each(|child| self.outer_columns(child, read));
    }

    /// True if `expr` is NULL where the outer column is.
    fn is_null_for(&self, expr: &Bound, wanted: usize) -> bool {
        match &expr.kind {
            BoundKind::Reference(Reference::OuterColumn { depth, column }) => {
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
