//! Takes out of a sub-query what it says of the queries around it, so that a join can say it instead.
//! Invariant: for every row of the outer query, the rows of the sub-query are those rows of `rel` for which all
//! `conditions` hold, with `outputs` as columns; `rel` itself speaks of the outer query no more. Shapes for which
//! that is not known to hold are refused.

mod domain;
mod joins;

use std::sync::Arc;

use arrow_array::Int64Array;
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::over::{OverCall, OverFunction};
use mainstem_engine::plan::Expanded;

use super::expr::ExprBinder;
use super::query::{conjunction, conjuncts, filter};
use crate::bound::{Bound, BoundKind, Reference};
use crate::error::{SqlError, SqlResult};
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField, RelKind, columns_of};
use crate::session::Session;
use crate::source::Span;

/// A sub-query that speaks of the outer query in its conditions and outputs only.
#[derive(Debug, Clone)]
pub(super) struct Pulled {
    /// Without a word of the outer query.
    pub(super) rel: Rel,
    /// The sub-query's columns, over those of `rel` and of the outer query.
    pub(super) outputs: Vec<Bound>,
    /// Over the columns of `rel` and of the outer query.
    pub(super) conditions: Vec<Bound>,
    /// There is exactly one row for each outer row: `outputs` over NULLs if none of `rel` meets the conditions.
    pub(super) always: bool,
    /// With `always`: HAVING; without it the row is not there. Over the same columns as `outputs`.
    pub(super) having: Option<Bound>,
}

/// Columns of `rel` that have to equal expressions over the outer query.
#[derive(Debug)]
pub(super) struct Keyed {
    /// The sub-query's columns in their places, then the keys.
    pub(super) rel: Rel,
    /// Where the keys start.
    pub(super) first: usize,
    /// What they equal, in order.
    pub(super) outer: Vec<Bound>,
}

/// Decides what a sub-query says of the query that has `depth` others around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correlation<'a> {
    pub(super) session: &'a Session,
    pub(super) depth: usize,
    /// The sub-query, for errors.
    pub(super) span: Span,
    /// The outer query, where its values may be asked for.
    pub(super) outer: Option<&'a Rel>,
}

/// True if `rel` or anything below it speaks of the query at `depth`.
fn mentions(rel: &Rel, depth: usize) -> bool {
    rel.expressions().into_iter().any(|e| speaks_of(e, depth))
        || rel.inputs().into_iter().any(|input| mentions(input, depth))
}

/// True if `rel` or anything below it reads such a column of the query at `depth`.
pub(super) fn reads(rel: &Rel, depth: usize, is_one: &dyn Fn(usize) -> bool) -> bool {
    let is_read = |part: &Bound| match part.kind {
        BoundKind::Reference(Reference::OuterColumn { depth: own, column }) => {
            own == depth && is_one(column)
        }
        _ => false,
    };
    rel.expressions().into_iter().any(|e| e.any(&is_read))
        || rel.inputs().into_iter().any(|input| reads(input, depth, is_one))
}

/// True if `expr` reads a column of the query at `depth`.
pub(super) fn speaks_of(expr: &Bound, depth: usize) -> bool {
    expr.any(&|part| match part.kind {
        BoundKind::Reference(Reference::OuterColumn { depth: own, .. }) => own == depth,
        _ => false,
    })
}

/// `expr` over the columns that `outputs` compute.
fn over(expr: &Bound, outputs: &[Bound]) -> Bound {
    expr.map_columns(&|column, _| outputs[column].clone())
}

/// `expr` of a sub-query at `own` depth over the columns of `left`, the outer query, then its own.
pub(super) fn beside(own: usize, left: &Rel, expr: &Bound) -> Bound {
    let width = left.fields.len();
    expr.remap(&|c| c + width).map_references(&|reference| match reference {
        Reference::OuterColumn { depth, column } if depth == own => {
            Some(Bound::column(column, left.fields[column].data_type.clone()))
        }
        _ => None,
    })
}

impl Pulled {
    fn untouched(rel: Rel) -> Self {
        let column = |(i, f): (usize, &RelField)| Bound::column(i, f.data_type.clone());
        let outputs = rel.fields.iter().enumerate().map(column).collect();
        Self { rel, outputs, conditions: Vec::new(), always: false, having: None }
    }
}

impl Correlation<'_> {
    pub(super) fn refuse(&self, what: &str) -> SqlError {
        SqlError::unsupported(format!("a correlated sub-query with {what}"), self.span)
            .with_hint("join the tables in FROM instead")
    }

    pub(super) fn speaks_of_outer(&self, expr: &Bound) -> bool {
        speaks_of(expr, self.depth)
    }

    pub(super) fn binary(&self, op: BinaryOp, left: Bound, right: Bound) -> SqlResult<Bound> {
        ExprBinder::new(self.session, &[]).binary(op, left, right, self.span)
    }

    /// Takes out what `rel` says of the outer query. Rows may come out more often than they should if
    /// `duplicates_matter` is false.
    pub(super) fn pull(&self, rel: Rel, duplicates_matter: bool) -> SqlResult<Pulled> {
        if !mentions(&rel, self.depth) {
            return Ok(Pulled::untouched(rel));
        }
        let fields = rel.fields;
        match rel.kind {
            RelKind::Filter { input, predicate } => {
                let below = self.pull(*input, duplicates_matter)?;
                self.filtered(below, &predicate)
            }
            RelKind::Project { input, exprs } => {
                let below = self.pull(*input, duplicates_matter)?;
                let outputs = exprs.iter().map(|e| over(e, &below.outputs)).collect();
                Ok(Pulled { outputs, ..below })
            }
            RelKind::Sort { input, limit: None, .. } => self.pull(*input, duplicates_matter),
            kind @ RelKind::Join { .. } => self.join(kind, duplicates_matter),
            kind @ RelKind::Aggregate { .. } => self.aggregate(kind, fields),
            kind @ RelKind::Over { .. } => self.windowed(kind, &fields),
            RelKind::Expand { input, layouts } => self.expanded(*input, layouts, fields),
            RelKind::Sort { input, keys, limit: Some(limit) } => {
                self.first_rows(*input, &keys, 0, limit)
            }
            RelKind::Limit { input, offset, count: Some(count) } => match input.kind {
                RelKind::Sort { input, keys, limit: None } => {
                    self.first_rows(*input, &keys, offset, count)
                }
                _ => Err(self.refuse("LIMIT and no ORDER BY")),
            },
            kind @ RelKind::WindowAggregate { .. } => self.window_aggregate(kind, fields),
            RelKind::WindowTable { .. } | RelKind::SessionTable { .. } => {
                Err(self.refuse("windows over the correlated rows"))
            }
            RelKind::UnionAll { .. } => {
                Err(self.refuse("a set operation over the correlated rows"))
            }
            RelKind::Unnest { .. } => Err(self.refuse("UNNEST of a column of the outer query")),
            RelKind::Limit { .. } => Err(self.refuse("OFFSET and no LIMIT")),
            _ => Err(self.refuse("this form of FROM")),
        }
    }

    fn filtered(&self, below: Pulled, predicate: &Bound) -> SqlResult<Pulled> {
        if below.always {
            let more = over(predicate, &below.outputs);
            let having = match below.having.clone() {
                Some(having) => self.binary(BinaryOp::And, having, more)?,
                None => more,
            };
            return Ok(Pulled { having: Some(having), ..below });
        }
        let mut parts = Vec::new();
        conjuncts(over(predicate, &below.outputs), &mut parts);
        let (outer, own): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|p| self.speaks_of_outer(p));
        let rel = match conjunction(own) {
            Some(predicate) => filter(below.rel, predicate),
            None => below.rel,
        };
        let mut conditions = below.conditions;
        conditions.extend(outer);
        Ok(Pulled { rel, conditions, ..below })
    }

    /// The one row that an aggregation has for each outer row can only be computed from.
    fn check_rows(&self, pulled: &Pulled, what: &str) -> SqlResult<()> {
        if pulled.always { Err(self.refuse(what)) } else { Ok(()) }
    }

    /// The aggregation for all outer rows at once: grouped by what the conditions compare, too.
    fn aggregate(&self, kind: RelKind, fields: Vec<RelField>) -> SqlResult<Pulled> {
        let RelKind::Aggregate { input, keys, aggregates } = kind else {
            unreachable!("called for aggregations only")
        };
        let below = self.pull(*input, !aggregates.is_empty())?;
        self.check_rows(&below, "aggregates of its aggregates")?;
        let mut needed = keys.clone();
        for call in &aggregates {
            needed.extend(call.args.iter().chain(&call.filter));
        }
        let keyed = self.keyed(below, &needed)?;
        let (own, more) = (keys.len(), keyed.outer.len());
        let mut group = keys;
        group.extend(keyed.first..keyed.first + more);
        let mut made: Vec<RelField> = fields[..own].to_vec();
        made.extend(keyed.rel.fields[keyed.first..].iter().cloned());
        made.extend(fields[own..].iter().cloned());
        let mut outputs = Vec::with_capacity(fields.len());
        for (i, field) in fields.iter().enumerate() {
            let place = if i < own { i } else { i + more };
            let column = Bound::column(place, field.data_type.clone());
            outputs.push(if own == 0 { self.or_zero(column)? } else { column });
        }
        let mut conditions = Vec::with_capacity(more);
        for (i, outer) in keyed.outer.into_iter().enumerate() {
            let key = Bound::column(own + i, made[own + i].data_type.clone());
            conditions.push(self.binary(BinaryOp::Eq, outer, key)?);
        }
        let kind = RelKind::Aggregate { input: Box::new(keyed.rel), keys: group, aggregates };
        let rel = Rel { kind, fields: made };
        Ok(Pulled { rel, outputs, conditions, always: own == 0, having: None })
    }

    /// GROUP BY over windows for all outer rows at once. Keys that would take a join below it are refused: behind that
    /// rows come when their partners do, and not by their time.
    fn window_aggregate(&self, kind: RelKind, fields: Vec<RelField>) -> SqlResult<Pulled> {
        let RelKind::WindowAggregate { input, keys, aggregates, windows } = kind else {
            unreachable!("called for windows only")
        };
        let below = self.pull(*input, true)?;
        self.check_rows(&below, "windows over its aggregates")?;
        let speaks = |output: &Bound| self.speaks_of_outer(output);
        if below.outputs.iter().any(speaks)
            || below.conditions.iter().any(|c| self.equality(c).is_none())
        {
            return Err(self.refuse("windows and a condition that is no equality"));
        }
        let keyed = self.keyed(below, &[])?;
        let (own, more) = (keys.len(), keyed.outer.len());
        let mut group = keys;
        group.extend(keyed.first..keyed.first + more);
        let mut made: Vec<RelField> = fields[..own].to_vec();
        made.extend(keyed.rel.fields[keyed.first..].iter().cloned());
        made.extend(fields[own..].iter().cloned());
        let output = |(i, field): (usize, &RelField)| {
            Bound::column(if i < own { i } else { i + more }, field.data_type.clone())
        };
        let outputs = fields.iter().enumerate().map(output).collect();
        let mut conditions = Vec::with_capacity(more);
        for (i, outer) in keyed.outer.into_iter().enumerate() {
            let key = Bound::column(own + i, made[own + i].data_type.clone());
            conditions.push(self.binary(BinaryOp::Eq, outer, key)?);
        }
        let input = Box::new(keyed.rel);
        let kind = RelKind::WindowAggregate { input, keys: group, aggregates, windows };
        let rel = Rel { kind, fields: made };
        Ok(Pulled { rel, outputs, conditions, always: false, having: None })
    }

    /// Windows of the sub-query for all outer rows at once: parted by what the conditions compare, too.
    fn windowed(&self, kind: RelKind, fields: &[RelField]) -> SqlResult<Pulled> {
        let RelKind::Over { input, mut partition, order, time, calls } = kind else {
            unreachable!("called for OVER only")
        };
        let width = input.fields.len();
        let below = self.pull(*input, true)?;
        self.check_rows(&below, "OVER and aggregates")?;
        let all: Vec<usize> = (0..width).collect();
        let keyed = self.keyed(below, &all)?;
        partition.extend(keyed.first..keyed.rel.fields.len());
        let first_call = keyed.rel.fields.len();
        let mut made = keyed.rel.fields.clone();
        made.extend(fields[width..].iter().cloned());
        let outputs = fields
            .iter()
            .enumerate()
            .map(|(i, f)| {
                let place = if i < width { i } else { first_call + i - width };
                Bound::column(place, f.data_type.clone())
            })
            .collect();
        let mut conditions = Vec::new();
        for (i, outer) in keyed.outer.into_iter().enumerate() {
            let key = Bound::column(keyed.first + i, made[keyed.first + i].data_type.clone());
            conditions.push(self.binary(BinaryOp::Eq, outer, key)?);
        }
        let input = Box::new(keyed.rel);
        let rel =
            Rel { kind: RelKind::Over { input, partition, order, time, calls }, fields: made };
        Ok(Pulled { rel, outputs, conditions, always: false, having: None })
    }

    /// GROUPING SETS for all outer rows at once: what the conditions compare is in every layout, too.
    fn expanded(
        &self,
        input: Rel,
        mut layouts: Vec<Vec<Expanded>>,
        mut fields: Vec<RelField>,
    ) -> SqlResult<Pulled> {
        let below = self.pull(input, true)?;
        self.check_rows(&below, "GROUPING SETS over its aggregates")?;
        let all: Vec<usize> = (0..below.outputs.len()).collect();
        let keyed = self.keyed(below, &all)?;
        let own = fields.len();
        let column = |(i, f): (usize, &RelField)| Bound::column(i, f.data_type.clone());
        let outputs = fields.iter().enumerate().map(column).collect();
        fields.extend(keyed.rel.fields[keyed.first..].iter().cloned());
        for layout in &mut layouts {
            layout.extend((keyed.first..keyed.rel.fields.len()).map(Expanded::Column));
        }
        let mut conditions = Vec::new();
        for (i, outer) in keyed.outer.into_iter().enumerate() {
            let key = Bound::column(own + i, fields[own + i].data_type.clone());
            conditions.push(self.binary(BinaryOp::Eq, outer, key)?);
        }
        let kind = RelKind::Expand { input: Box::new(keyed.rel), layouts };
        Ok(Pulled { rel: Rel { kind, fields }, outputs, conditions, always: false, having: None })
    }

    /// ORDER BY and LIMIT for each outer row: the rows whose number in their partition is within the limit.
    fn first_rows(
        &self,
        input: Rel,
        order: &[(usize, bool, bool)],
        offset: u64,
        count: u64,
    ) -> SqlResult<Pulled> {
        let width = input.fields.len();
        let mut fields = input.fields.clone();
        let number = TypeKind::BigInt.not_null();
        fields.push(RelField::new("row_number", number.clone()));
        let call = OverCall { function: OverFunction::RowNumber, output: number.to_arrow() };
        let kind = RelKind::Over {
            input: Box::new(input),
            partition: Vec::new(),
            order: order.to_vec(),
            time: None,
            calls: vec![call],
        };
        let bound = |n: u64| {
            let n = i64::try_from(n).unwrap_or(i64::MAX);
            Bound::literal(Arc::new(Int64Array::from(vec![n])), number.clone())
        };
        let mut pulled = self.windowed(kind, &fields)?;
        let row_number = pulled.outputs[width].clone();
        let last = bound(offset.saturating_add(count));
        let mut within = self.binary(BinaryOp::LtEq, row_number.clone(), last)?;
        if offset > 0 {
            let behind = self.binary(BinaryOp::Gt, row_number, bound(offset))?;
            within = self.binary(BinaryOp::And, within, behind)?;
        }
        pulled.rel = filter(pulled.rel, within);
        pulled.outputs.truncate(width);
        Ok(pulled)
    }

    /// COUNT of no rows is 0; what is never NULL otherwise, too.
    fn or_zero(&self, column: Bound) -> SqlResult<Bound> {
        if column.data_type.nullable {
            return Ok(column);
        }
        let data_type = column.data_type.clone();
        let binder = ExprBinder::new(self.session, &[]);
        let zero = binder.coerce(super::expr::zero(), &data_type, self.span)?;
        let column = Bound { data_type: data_type.with_nullable(true), ..column };
        Ok(Bound { kind: BoundKind::Coalesce(vec![column, zero]), data_type })
    }

    /// The pulled sub-query with its outputs laid out as columns, of which `needed` must not speak of the outer query,
    /// and the inner sides of its conditions, all of them equalities, behind them.
    pub(super) fn keyed(&self, pulled: Pulled, needed: &[usize]) -> SqlResult<Keyed> {
        let speaks = |&i: &usize| self.speaks_of_outer(&pulled.outputs[i]);
        let pulled = if pulled.conditions.iter().any(|c| self.equality(c).is_none())
            || needed.iter().any(speaks)
        {
            self.with_domain(pulled)?
        } else {
            pulled
        };
        let mut exprs = Vec::new();
        let mut fields = Vec::new();
        for (i, output) in pulled.outputs.iter().enumerate() {
            let speaks = self.speaks_of_outer(output);
            exprs.push(if speaks { Bound::null(&output.data_type) } else { output.clone() });
            fields.push(field_of(&pulled.rel, output, i));
        }
        let first = exprs.len();
        let mut outer = Vec::new();
        for condition in &pulled.conditions {
            let Some((inner, of_outer)) = self.equality(condition) else {
                return Err(self.refuse("a condition that is no equality in this place"));
            };
            fields.push(field_of(&pulled.rel, &inner, exprs.len()));
            exprs.push(inner);
            outer.push(of_outer);
        }
        let rel = Rel { kind: RelKind::Project { input: Box::new(pulled.rel), exprs }, fields };
        Ok(Keyed { rel, first, outer })
    }

    /// The inner and the outer side of an equality of the two.
    pub(super) fn equality(&self, condition: &Bound) -> Option<(Bound, Bound)> {
        let BoundKind::Call { op: Some(BinaryOp::Eq), args, .. } = &condition.kind else {
            return None;
        };
        let [a, b] = args.as_slice() else { return None };
        let is_inner = |e: &Bound| !self.speaks_of_outer(e) && !columns_of(e).is_empty();
        let is_outer = |e: &Bound| self.speaks_of_outer(e) && columns_of(e).is_empty();
        if a.data_type.to_arrow() != b.data_type.to_arrow() {
            return None;
        }
        match (a, b) {
            (a, b) if is_inner(a) && is_outer(b) => Some((a.clone(), b.clone())),
            (a, b) if is_outer(a) && is_inner(b) => Some((b.clone(), a.clone())),
            _ => None,
        }
    }
}

/// A column for what `expr` computes over `rel`.
fn field_of(rel: &Rel, expr: &Bound, place: usize) -> RelField {
    let data_type: DataType = expr.data_type.clone();
    let name = match expr.as_column() {
        Some(column) => rel.fields[column].name.clone(),
        None => format!("EXPR${place}"),
    };
    RelField::new(name, data_type)
}
