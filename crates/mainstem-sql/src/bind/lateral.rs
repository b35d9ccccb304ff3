//! LATERAL: a query in FROM that sees the tables before it.
//! Invariant: for each row on the left, the rows of the query with that row's values put in; an outer join keeps the
//! left rows for which there is none.

mod unnest;

use mainstem_engine::plan::JoinKind;

use super::Binder;
use super::correlation::{Correlation, Pulled, beside};
use super::expr::ExprBinder;
use super::query::{conjunction, equi_join, with_columns};
use super::subquery::has_subquery;
use crate::ast::{Alias, Expr, ExprKind, JoinConstraint, JoinType, Query};
use crate::bound::{Bound, BoundKind, Reference};
use crate::error::{SqlError, SqlResult};
use crate::operators::UnaryOp;
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;
use unnest::{Unnesting, is_unnest};

impl Binder<'_> {
    /// `left JOIN LATERAL (query) AS alias`.
    pub(super) fn lateral(
        &mut self,
        left: Rel,
        query: &Query,
        alias: Option<&Alias>,
        kind: JoinType,
        constraint: &JoinConstraint,
        span: Span,
    ) -> SqlResult<Rel> {
        let outer = self.scope.clone();
        let depth = self.enter(&left.fields);
        let right = self.query(query);
        self.scope = outer;
        let right = self.aliased(right?, alias, None)?;
        let is_left = match kind {
            JoinType::Left => true,
            JoinType::Inner | JoinType::Cross => false,
            JoinType::Right | JoinType::Full => {
                return Err(SqlError::new(
                    "LATERAL is joined with CROSS, INNER or LEFT JOIN",
                    span,
                ));
            }
        };
        let condition = match constraint {
            JoinConstraint::None => None,
            JoinConstraint::On(on) if matches!(on.kind.as_ref(), ExprKind::Boolean(true)) => None,
            JoinConstraint::On(on) => Some(on),
            JoinConstraint::Using(_) | JoinConstraint::Natural => {
                return Err(SqlError::new("LATERAL takes no USING", span));
            }
        };
        if is_unnest(&right) {
            let binder = &self.expressions(&[]);
            let unnesting = Unnesting { binder, depth, is_left, span: query.span };
            let rel = unnesting.joined(left, right)?;
            return match condition {
                Some(on) if is_left => self.unnested_where(rel, on),
                Some(on) => self.restricted(rel, on, "ON"),
                None => Ok(rel),
            };
        }
        let session = self.context.session;
        let correlation = Correlation { session, depth, span: query.span, outer: Some(&left) };
        let fields = right.fields.clone();
        let mut pulled = correlation.pull(right, true)?;
        let on = condition.filter(|_| is_left);
        if let Some(on) = on {
            if has_subquery(on) {
                return Err(refuse_condition(on, "with a sub-query"));
            }
            let seen: Vec<RelField> = left.fields.iter().chain(&fields).cloned().collect();
            let condition = self.expressions(&seen).condition(on, "ON")?;
            if pulled.always {
                let correlation = Correlation { session, depth, span: query.span, outer: None };
                let width = left.fields.len();
                let rel = joined(correlation, left, pulled, &fields, is_left)?;
                return self.shown_where(rel, width, &condition, on.span);
            }
            // What the query says of its left side it says as of a query around it.
            let width = left.fields.len();
            let outputs = pulled.outputs.clone();
            pulled.conditions.push(condition.map_columns(&|column, data_type| {
                match column.checked_sub(width) {
                    Some(own) => outputs[own].clone(),
                    None => Bound {
                        kind: BoundKind::Reference(Reference::OuterColumn { depth, column }),
                        data_type: data_type.clone(),
                    },
                }
            }));
        }
        let correlation = Correlation { session, depth, span: query.span, outer: None };
        let rel = joined(correlation, left, pulled, &fields, is_left)?;
        match condition.filter(|_| !is_left) {
            Some(on) => self.restricted(rel, on, "ON"),
            None => Ok(rel),
        }
    }
}

impl Binder<'_> {
    /// `rel`, an outer UNNEST, of those elements for which `on` holds.
    pub(super) fn unnested_where(&self, rel: Rel, on: &Expr) -> SqlResult<Rel> {
        if has_subquery(on) {
            return Err(refuse_condition(on, "with a sub-query"));
        }
        let condition = self.expressions(&rel.fields).condition(on, "ON")?;
        Ok(unnest::of_those(rel, condition))
    }

    /// `rel` with the columns from `width` on NULL where `condition` does not hold.
    fn shown_where(&self, rel: Rel, width: usize, condition: &Bound, span: Span) -> SqlResult<Rel> {
        let binder = self.expressions(&[]);
        let mut fields = rel.fields.clone();
        let mut exprs = Vec::with_capacity(fields.len());
        for (at, field) in fields.iter_mut().enumerate() {
            let column = Bound::column(at, field.data_type.clone());
            if at < width {
                exprs.push(column);
                continue;
            }
            field.data_type.nullable = true;
            let nothing = Bound::null(&field.data_type);
            exprs.push(binder.case_of(vec![(condition.clone(), column)], nothing, span)?);
        }
        Ok(Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields })
    }
}

fn refuse_condition(on: &Expr, what: &str) -> SqlError {
    SqlError::unsupported(format!("LEFT JOIN LATERAL {what} and a condition"), on.span)
        .with_hint("write ON TRUE and put the condition into the query's WHERE")
}

/// `left` joined with the rows of `pulled`, whose columns are `right_fields`.
fn joined(
    correlation: Correlation<'_>,
    left: Rel,
    mut pulled: Pulled,
    right_fields: &[RelField],
    is_left: bool,
) -> SqlResult<Rel> {
    let is_constant = matches!(pulled.rel.kind, RelKind::Values { rows: 1, .. })
        && pulled.rel.fields.is_empty()
        && pulled.conditions.is_empty();
    if pulled.having.is_some() {
        return Err(correlation.refuse("HAVING and no GROUP BY, in LATERAL"));
    }
    let width = left.fields.len();
    let untimed = |f: &RelField| RelField { time: None, window: None, ..f.clone() };
    let mut fields: Vec<RelField> =
        if is_constant { left.fields.clone() } else { left.fields.iter().map(untimed).collect() };
    let mut exprs: Vec<Bound> =
        fields.iter().enumerate().map(|(i, f)| Bound::column(i, f.data_type.clone())).collect();
    let optional = is_left && !pulled.always && !is_constant;
    fields.extend(right_fields.iter().map(|f| {
        let nullable = f.data_type.nullable || optional;
        RelField { data_type: f.data_type.with_nullable(nullable), ..untimed(f) }
    }));
    if is_constant {
        exprs.extend(pulled.outputs.iter().map(|o| beside(correlation.depth, &left, o)));
        return Ok(Rel { kind: RelKind::Project { input: Box::new(left), exprs }, fields });
    }
    let is_outer = is_left || pulled.always;
    let computed = pulled.outputs.iter().any(|o| o.as_column().is_none());
    let marked = optional && computed;
    if marked {
        pulled.rel = with_columns(pulled.rel, vec![super::attach::truth()]).0;
    }
    let marker = width + pulled.rel.fields.len() - usize::from(marked);
    let parts: Vec<Bound> =
        pulled.conditions.iter().map(|c| beside(correlation.depth, &left, c)).collect();
    let binder = ExprBinder::new(correlation.session, &[]);
    for output in &pulled.outputs {
        let mut expr = beside(correlation.depth, &left, output);
        if is_outer {
            expr = expr.map_columns(&|c, data_type| {
                let nullable = data_type.nullable || c >= width;
                Bound::column(c, data_type.with_nullable(nullable))
            });
        }
        if marked && expr.as_column().is_none() {
            // What is computed for a row that is not there is NULL.
            let there = Bound::column(marker, super::attach::truth().data_type.with_nullable(true));
            let there = binder.unary_bound(UnaryOp::IsNotNull, there, correlation.span)?;
            let nothing = Bound::null(&expr.data_type);
            expr = binder.case_of(vec![(there, expr)], nothing, correlation.span)?;
        }
        exprs.push(expr);
    }
    let mut joined_fields: Vec<RelField> = left.fields.iter().map(untimed).collect();
    joined_fields.extend(pulled.rel.fields.iter().map(|f| {
        let nullable = f.data_type.nullable || is_outer;
        RelField { data_type: f.data_type.with_nullable(nullable), ..untimed(f) }
    }));
    let kind = if is_outer { JoinKind::Left } else { JoinKind::Inner };
    let rel = equi_join(left, pulled.rel, kind, conjunction(parts), joined_fields);
    Ok(Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields })
}
