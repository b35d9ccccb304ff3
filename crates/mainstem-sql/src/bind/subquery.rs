//! Sub-queries in expressions: EXISTS, IN, comparisons with SOME and ALL, and those that stand for a value.
//! Invariant: a condition of its own (EXISTS or IN, perhaps negated) becomes a semi or anti join; any other use
//! becomes a column that a left join adds, of which each row has one partner at most. `attach` makes the joins.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mainstem_core::{DataType, TypeKind};
use mainstem_engine::plan::JoinKind;

use super::Binder;
use super::aggregate::{is_aggregate, visit};
use super::attach::Attach;
use super::correlation::reads;
use super::expr::ExprBinder;
use super::query::{conjunction, conjuncts, equi_join, filter};
use super::scope::{Scope, Subqueries, Surroundings, Test, Used};
use crate::ast::{Expr, ExprKind, GroupItem, Query, Select, TableRef};
use crate::bound::{Bound, BoundKind, Reference};
use crate::error::{SqlError, SqlResult};
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField, columns_of};
use crate::source::Span;

/// Sub-queries, and where they stand.
type Placed = Vec<(Span, Query)>;

impl ExprBinder<'_> {
    /// A sub-query that the clause has bound.
    pub(super) fn subquery(&self, expr: &Expr) -> SqlResult<Bound> {
        let span = expr.span;
        let found = self.around.subqueries.as_ref().and_then(|subqueries| {
            let index = subqueries.bound.iter().position(|(own, _)| *own == span)?;
            Some((subqueries, index))
        });
        let Some((subqueries, index)) = found else {
            return Err(SqlError::unsupported("a sub-query in this place", span).with_hint(
                "sub-queries stand in WHERE, GROUP BY, HAVING, the select list and ON",
            ));
        };
        let fields = &subqueries.bound[index].1.fields;
        let (test, operands, negated) = match expr.kind.as_ref() {
            ExprKind::Exists(_) => (Test::Exists, Vec::new(), false),
            ExprKind::InSubquery { expr, negated, .. } => {
                (Test::In, self.operands(expr)?, *negated)
            }
            ExprKind::Quantified { left, op, all, .. } => {
                let operands = self.operands(left)?;
                match (*op, *all) {
                    (BinaryOp::Eq, false) => (Test::In, operands, false),
                    (BinaryOp::NotEq, true) => (Test::In, operands, true),
                    (op, false) => (Test::Some(op), operands, false),
                    (op, true) => (Test::Some(opposite(op)), operands, true),
                }
            }
            _ => (Test::Scalar, Vec::new(), false),
        };
        let width = if test == Test::Scalar { 1 } else { operands.len() };
        if test != Test::Exists && fields.len() != width {
            let message =
                format!("this sub-query has {} columns, {width} are needed", fields.len());
            return Err(SqlError::new(message, span));
        }
        let nullable = operands.iter().any(|o| o.data_type.nullable)
            || fields.iter().any(|f| f.data_type.nullable);
        let data_type = match test {
            Test::Scalar => fields[0].data_type.with_nullable(true),
            Test::Exists => TypeKind::Boolean.not_null(),
            Test::In | Test::Some(_) => DataType { kind: TypeKind::Boolean, nullable },
        };
        let n = subqueries.usage(Used { index, test, operands, span, null_is_false: false });
        let kind = BoundKind::Reference(Reference::Subquery(n));
        let bound = Bound { kind, data_type };
        if negated { self.not(bound, span) } else { Ok(bound) }
    }

    fn operands(&self, expr: &Expr) -> SqlResult<Vec<Bound>> {
        match expr.kind.as_ref() {
            ExprKind::Row(items) => items.iter().map(|item| self.bind(item)).collect(),
            _ => Ok(vec![self.bind(expr)?]),
        }
    }
}

/// The comparison that holds where `op` does not.
fn opposite(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Eq => BinaryOp::NotEq,
        BinaryOp::NotEq => BinaryOp::Eq,
        BinaryOp::Lt => BinaryOp::GtEq,
        BinaryOp::LtEq => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::LtEq,
        BinaryOp::GtEq => BinaryOp::Lt,
        other => other,
    }
}

/// True if `expr` holds a sub-query.
pub(super) fn has_subquery(expr: &Expr) -> bool {
    let mut found = false;
    visit(expr, &mut |e| found |= is_subquery(e));
    found
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr.kind.as_ref(),
        ExprKind::InSubquery { .. }
            | ExprKind::Exists(_)
            | ExprKind::Subquery(_)
            | ExprKind::Quantified { .. }
    )
}

/// The sub-queries of `expr`.
fn collect(expr: &Expr, queries: &mut Vec<(Span, Query)>) {
    visit(expr, &mut |e| match e.kind.as_ref() {
        ExprKind::InSubquery { query, .. }
        | ExprKind::Exists(query)
        | ExprKind::Subquery(query)
        | ExprKind::Quantified { query, .. } => queries.push((e.span, query.clone())),
        _ => {}
    });
}

/// The sub-queries inside of aggregate calls, and the others.
pub(super) fn subqueries_by_place(exprs: &[&Expr]) -> (Placed, Placed) {
    let (mut inside, mut all) = (Placed::new(), Placed::new());
    for expr in exprs {
        collect(expr, &mut all);
        visit(expr, &mut |e| {
            if let ExprKind::Function(call) = e.kind.as_ref()
                && is_aggregate(call)
            {
                call.args.iter().chain(&call.filter).for_each(|arg| collect(arg, &mut inside));
            }
        });
    }
    all.retain(|(span, _)| !inside.iter().any(|(own, _)| own == span));
    (inside, all)
}

/// The sub-queries of GROUP BY.
pub(super) fn subqueries_of_keys(select: &Select) -> Placed {
    let mut found = Placed::new();
    for item in &select.group_by {
        match item {
            GroupItem::Expr(expr) => collect(expr, &mut found),
            GroupItem::GroupingSets(sets, _) => {
                sets.iter().flat_map(|set| &set.exprs).for_each(|expr| collect(expr, &mut found));
            }
        }
    }
    found
}

/// The conjuncts of a condition as written.
pub(super) fn written_conjuncts<'e>(expr: &'e Expr, out: &mut Vec<&'e Expr>) {
    match expr.kind.as_ref() {
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            written_conjuncts(left, out);
            written_conjuncts(right, out);
        }
        _ => out.push(expr),
    }
}

fn holds_subquery(expr: &Bound) -> bool {
    expr.any(&|e| matches!(e.kind, BoundKind::Reference(Reference::Subquery(_))))
}

/// The sub-query that a condition is, and whether it is negated.
fn sole_test(part: &Bound) -> Option<(usize, bool)> {
    match &part.kind {
        BoundKind::Reference(Reference::Subquery(n)) => Some((*n, false)),
        BoundKind::Call { name, args, .. } if name == "NOT" => {
            sole_test(&args[0]).map(|(n, negated)| (n, !negated))
        }
        _ => None,
    }
}

/// The sub-queries of which `exprs` ask no more than whether they are TRUE: as conditions of CASE or, if they are
/// conditions themselves, by AND and OR alone.
fn only_asked_for_true(exprs: &[Bound], are_conditions: bool) -> BTreeSet<usize> {
    fn visit(expr: &Bound, is_condition: bool, found: &mut [BTreeSet<usize>; 2]) {
        match &expr.kind {
            BoundKind::Reference(Reference::Subquery(n)) => {
                found[usize::from(is_condition)].insert(*n);
            }
            BoundKind::Logic(_, left, right) => {
                visit(left, is_condition, found);
                visit(right, is_condition, found);
            }
            BoundKind::Case { branches, otherwise } => {
                for (condition, value) in branches {
                    visit(condition, true, found);
                    visit(value, is_condition, found);
                }
                visit(otherwise, is_condition, found);
            }
            _ => expr.children().into_iter().for_each(|child| visit(child, false, found)),
        }
    }
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    exprs.iter().for_each(|expr| visit(expr, are_conditions, &mut found));
    let [values, conditions] = found;
    &conditions - &values
}

impl Binder<'_> {
    /// Binds the sub-queries of `exprs`, which see `fields`.
    pub(super) fn subqueries_of(
        &mut self,
        exprs: &[&Expr],
        fields: &[RelField],
    ) -> SqlResult<Surroundings> {
        let mut queries = Vec::new();
        exprs.iter().for_each(|expr| collect(expr, &mut queries));
        self.bound_subqueries(&queries, fields)
    }

    /// Binds sub-queries, which see `fields`.
    pub(super) fn bound_subqueries(
        &mut self,
        queries: &[(Span, Query)],
        fields: &[RelField],
    ) -> SqlResult<Surroundings> {
        let outer = self.scope.clone();
        if queries.is_empty() {
            return Ok(Surroundings { scope: outer, ..Surroundings::default() });
        }
        let depth = self.enter(fields);
        let bound: SqlResult<Vec<(Span, Rel)>> =
            queries.iter().map(|(span, query)| Ok((*span, self.query(query)?))).collect();
        self.scope.clone_from(&outer);
        let used = RefCell::new(Vec::new());
        let subqueries = Some(Rc::new(Subqueries { bound: bound?, used, depth }));
        Ok(Surroundings { scope: outer, subqueries, ..Surroundings::default() })
    }

    /// What is bound from here on is a sub-query that sees `fields`; returns the depth of the query with the fields.
    pub(super) fn enter(&mut self, fields: &[RelField]) -> usize {
        let parent = self.scope.take();
        let depth = parent.as_ref().map_or(0, |scope| scope.depth + 1);
        self.scope = Some(Rc::new(Scope { fields: fields.to_vec(), depth, parent }));
        depth
    }

    /// WHERE and its like.
    pub(super) fn restricted(
        &mut self,
        rel: Rel,
        condition: &Expr,
        clause: &str,
    ) -> SqlResult<Rel> {
        let around = self.subqueries_of(&[condition], &rel.fields)?;
        let mut binder = self.expressions(&rel.fields);
        binder.around = around.clone();
        let predicate = binder.condition(condition, clause)?;
        self.filtered(rel, predicate, &around)
    }

    /// An inner join whose condition has sub-queries: those parts of it are conditions on the joined rows.
    pub(super) fn join_on_subqueries(
        &mut self,
        [left, right]: [Rel; 2],
        tables: [&TableRef; 2],
        on: &Expr,
        fields: Vec<RelField>,
    ) -> SqlResult<Rel> {
        let mut parts = Vec::new();
        written_conjuncts(on, &mut parts);
        let (late, early): (Vec<_>, Vec<_>) = parts.into_iter().partition(|p| has_subquery(p));
        let binder = self.expressions(&fields);
        let early = early
            .into_iter()
            .map(|part| binder.condition(part, "ON"))
            .collect::<SqlResult<Vec<_>>>()?;
        let rel = equi_join(left, right, JoinKind::Inner, conjunction(early), fields);
        let rel = self.rows_kept(rel, tables);
        late.into_iter().try_fold(rel, |rel, part| self.restricted(rel, part, "ON"))
    }

    /// An outer join whose condition has sub-queries: their answers become columns of the left side, so they may speak of
    /// that side alone.
    pub(super) fn outer_join_on_subqueries(
        &mut self,
        [left, right]: [Rel; 2],
        tables: [&TableRef; 2],
        kind: JoinKind,
        on: &Expr,
        fields: Vec<RelField>,
    ) -> SqlResult<Rel> {
        let around = self.subqueries_of(&[on], &fields)?;
        let mut binder = self.expressions(&fields);
        binder.around = around.clone();
        let condition = binder.condition(on, "ON")?;
        let Some(subqueries) = &around.subqueries else {
            return Ok(equi_join(left, right, kind, Some(condition), fields));
        };
        let (width, right_width) = (left.fields.len(), right.fields.len());
        let is_right = |column: usize| column >= width;
        let of_right = |used: &Used| {
            used.operands.iter().any(|operand| columns_of(operand).into_iter().any(is_right))
        };
        if subqueries.used.borrow().iter().any(of_right)
            || subqueries.bound.iter().any(|(_, rel)| reads(rel, subqueries.depth, &is_right))
        {
            let what = "a sub-query over the right side in ON of an outer join";
            return Err(
                SqlError::unsupported(what, on.span).with_hint("compute it in a sub-query of FROM")
            );
        }
        let mut parts = Vec::new();
        conjuncts(condition.clone(), &mut parts);
        let null_is_false = only_asked_for_true(&parts, true);
        let answer = |n: usize| Bound {
            kind: BoundKind::Reference(Reference::Subquery(n)),
            data_type: TypeKind::Boolean.nullable(),
        };
        let asked = (0..subqueries.used.borrow().len()).map(answer).collect();
        let (left, answers) = self.settled_where(left, asked, &around, &null_is_false)?;
        let more = left.fields.len() - width;
        let condition = condition.remap(&|c| if is_right(c) { c + more } else { c });
        let condition = condition.map_references(&|reference| match reference {
            Reference::Subquery(n) => Some(answers[n].clone()),
            Reference::OuterColumn { .. } => None,
        });
        let mut all = left.fields.clone();
        all[..width].clone_from_slice(&fields[..width]);
        all.extend_from_slice(&fields[width..]);
        let joined = equi_join(left, right, kind, Some(condition), all);
        let columns: Vec<usize> =
            (0..width).chain(width + more..width + more + right_width).collect();
        Ok(self.rows_kept(joined, tables).select(&columns))
    }

    /// `rel` where `predicate` holds.
    pub(super) fn filtered(
        &self,
        rel: Rel,
        predicate: Bound,
        around: &Surroundings,
    ) -> SqlResult<Rel> {
        let Some(subqueries) = &around.subqueries else { return Ok(filter(rel, predicate)) };
        let mut parts = Vec::new();
        conjuncts(predicate, &mut parts);
        let (with, without): (Vec<_>, Vec<_>) = parts.into_iter().partition(holds_subquery);
        let mut rel = match conjunction(without) {
            Some(plain) => filter(rel, plain),
            None => rel,
        };
        let outer = rel.clone();
        let attach = Attach { session: self.context.session, subqueries, outer: &outer };
        let mut rest = Vec::new();
        for part in with {
            let used = subqueries.used.borrow();
            let test = sole_test(&part).map(|(n, negated)| (used[n].clone(), negated));
            drop(used);
            match test {
                Some((used, negated)) if matches!(used.test, Test::Exists | Test::In) => {
                    rel = attach.semi(rel, &used, negated)?;
                }
                _ => rest.push(part),
            }
        }
        let width: Vec<usize> = (0..rel.fields.len()).collect();
        let null_is_false = only_asked_for_true(&rest, true);
        let (rel, rest) = self.settled_where(rel, rest, around, &null_is_false)?;
        Ok(match conjunction(rest) {
            Some(predicate) => filter(rel, predicate).select(&width),
            None => rel,
        })
    }

    /// `exprs` without references for sub-queries, over `rel` with columns for them added.
    pub(super) fn settled(
        &self,
        rel: Rel,
        exprs: Vec<Bound>,
        around: &Surroundings,
    ) -> SqlResult<(Rel, Vec<Bound>)> {
        let null_is_false = only_asked_for_true(&exprs, false);
        self.settled_where(rel, exprs, around, &null_is_false)
    }

    /// The same; the uses `null_is_false` may be answered with FALSE for NULL.
    fn settled_where(
        &self,
        mut rel: Rel,
        exprs: Vec<Bound>,
        around: &Surroundings,
        null_is_false: &BTreeSet<usize>,
    ) -> SqlResult<(Rel, Vec<Bound>)> {
        let Some(subqueries) = &around.subqueries else { return Ok((rel, exprs)) };
        let outer = rel.clone();
        let attach = Attach { session: self.context.session, subqueries, outer: &outer };
        let used = subqueries.used.borrow().clone();
        let mut values = vec![None; used.len()];
        for (n, used) in used.iter().enumerate() {
            let reads = |e: &Bound| {
                e.any(&|e| matches!(e.kind, BoundKind::Reference(Reference::Subquery(m)) if m == n))
            };
            if exprs.iter().any(reads) {
                let used = Used { null_is_false: null_is_false.contains(&n), ..used.clone() };
                let (joined, value) = attach.column(rel, &used)?;
                rel = joined;
                values[n] = Some(value);
            }
        }
        let replace = |reference| match reference {
            Reference::Subquery(n) => values[n].clone(),
            Reference::OuterColumn { .. } => None,
        };
        Ok((rel, exprs.iter().map(|e| e.map_references(&replace)).collect()))
    }
}
