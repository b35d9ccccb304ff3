//! Queries: FROM, WHERE, SELECT, set operations, ORDER BY.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use mainstem_core::table::Options;
use mainstem_core::{DataType, TypeKind};
use mainstem_engine::plan::JoinKind;

use super::aggregate::has_aggregate;
use super::ddl::check_usable;
use super::expr::ExprBinder;
use super::over::{self, Overs};
use super::scope::Surroundings;
use super::subquery::{has_subquery, subqueries_by_place, subqueries_of_keys};
use super::{Binder, VIEW_DEPTH_MAX, time_join};
use crate::ast::{
    Alias, Expr, ExprKind, Ident, JoinConstraint, JoinType, ObjectName, Query, Select, SelectItem,
    SetExpr, StringLiteral, TableRef,
};
use crate::bound::{Bound, BoundKind};
use crate::catalog::{Object, Table};
use crate::error::{SqlError, SqlResult};
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelField, RelKind, TimeAttribute, columns_of};
use crate::source::Span;

impl<'a> Binder<'a> {
    pub(super) fn expressions<'f>(&self, fields: &'f [RelField]) -> ExprBinder<'f>
    where
        'a: 'f,
    {
        let around = Surroundings { scope: self.scope.clone(), ..Surroundings::default() };
        ExprBinder { session: self.context.session, fields, grouping: None, around }
    }

    pub(super) fn query(&mut self, query: &Query) -> SqlResult<Rel> {
        let before = self.ctes.len();
        for (name, columns, cte) in &query.ctes {
            let rel = self.query(cte)?;
            let rel = rename(rel, columns, name.span)?;
            self.ctes.push((name.value.clone(), rel));
        }
        let rel = self.set_expr(&query.body);
        let rel = rel.and_then(|rel| self.order_and_limit(rel, query));
        self.ctes.truncate(before);
        rel
    }

    fn set_expr(&mut self, body: &SetExpr) -> SqlResult<Rel> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Values(rows) => self.values(rows),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { op, all, left, right, span } => {
                let (left, right) = (self.set_expr(left)?, self.set_expr(right)?);
                self.set_operation(*op, *all, left, right, *span)
            }
        }
    }

    pub(super) fn select(&mut self, select: &Select) -> SqlResult<Rel> {
        self.under_hints(select, |binder| binder.select_hinted(select))
    }

    fn select_hinted(&mut self, select: &Select) -> SqlResult<Rel> {
        let mut rel = match &select.from {
            Some(from) => self.from(from)?,
            None => {
                Rel { kind: RelKind::Values { columns: Vec::new(), rows: 1 }, fields: Vec::new() }
            }
        };
        if let Some(selection) = &select.selection {
            rel = self.restricted(rel, selection, "WHERE")?;
            rel = self.conditions_into_joins(rel)?;
        }
        let aggregated = !select.group_by.is_empty()
            || select.having.is_some()
            || select.items.iter().any(|item| match item {
                SelectItem::Expr { expr, .. } => has_aggregate(expr),
                SelectItem::Wildcard { .. } => false,
            })
            || select.qualify.as_ref().is_some_and(has_aggregate);
        let rel = if aggregated {
            self.aggregate_select(select, rel)?
        } else {
            self.plain_select(select, rel)?
        };
        Ok(match select.distinct {
            true if aggregated => distinct(rel),
            true => self.groups_kept(distinct(rel), select),
            false => rel,
        })
    }

    fn plain_select(&mut self, select: &Select, input: Rel) -> SqlResult<Rel> {
        let overs = Overs::new(select);
        let around = self.subqueries_of(&written_items(select), &input.fields)?;
        let mut binder = self.expressions(&input.fields);
        binder.around = Surroundings { overs: Some(Rc::clone(&overs)), ..around.clone() };
        let (exprs, mut fields) = select_list(&binder, select, &input.fields)?;
        let qualify = over::qualify(&binder, select)?;
        let (input, exprs) = self.settled(input, exprs, &around)?;
        around.untime(&mut fields);
        Ok(over::project(input, &overs, exprs, fields, qualify))
    }

    fn aggregate_select(&mut self, select: &Select, input: Rel) -> SqlResult<Rel> {
        let session = self.context.session;
        let input_fields = input.fields.clone();
        let mut written = written_items(select);
        written.extend(&select.having);
        let (mut inside, mut outside) = subqueries_by_place(&written);
        let of_keys = subqueries_of_keys(select);
        if !of_keys.is_empty() {
            // What is written in the select list may be a key, too.
            inside.extend(of_keys.iter().chain(&outside).cloned());
        }
        let around = self.bound_subqueries(&inside, &input_fields)?;
        if let Some(subqueries) = &around.subqueries {
            outside.retain(|(own, _)| !of_keys.iter().any(|(key, _)| subqueries.equal(*own, *key)));
        }
        let (grouping, window) = self.grouping(select, &input_fields, around)?;
        let scope = grouping.scope();
        let grouping = RefCell::new(grouping);
        let overs = Overs::new(select);
        let asked = self.bound_subqueries(&outside, &scope)?;
        let around = Surroundings { overs: Some(Rc::clone(&overs)), ..asked.clone() };
        let binder = ExprBinder { session, fields: &[], grouping: Some(&grouping), around };
        let (exprs, mut fields) = select_list(&binder, select, &input_fields)?;
        let qualify = over::qualify(&binder, select)?;
        let having = select.having.as_ref().map(|h| binder.condition(h, "HAVING")).transpose()?;
        let rel = self.aggregation(input, grouping.into_inner(), window, select.span)?;
        let mut rel = self.groups_kept(rel, select);
        if let Some(predicate) = having {
            rel = self.filtered(rel, predicate, &asked)?;
        }
        let (rel, exprs) = self.settled(rel, exprs, &asked)?;
        asked.untime(&mut fields);
        Ok(over::project(rel, &overs, exprs, fields, qualify))
    }

    pub(super) fn from(&mut self, table: &TableRef) -> SqlResult<Rel> {
        self.ttl.see(table);
        match table {
            TableRef::Table { name, hints, system_time, alias } => {
                if let Some(time) = system_time {
                    let what = "FOR SYSTEM_TIME AS OF without a join";
                    return Err(SqlError::unsupported(what, time.span).with_hint(
                        "it stands behind JOIN, with a time attribute of the left side",
                    ));
                }
                let rel = self.named(name, hints)?;
                self.aliased(rel, alias.as_ref(), Some(&name.last().value))
            }
            TableRef::Derived { query, alias, lateral: _ } => {
                let rel = self.query(query)?;
                self.aliased(rel, alias.as_ref(), None)
            }
            TableRef::Function { name, args, alias, lateral: _, span } => {
                let upper = name.value.to_ascii_uppercase();
                let rel = match upper.as_str() {
                    "FROM_CHANGELOG" | "TO_CHANGELOG" => {
                        self.changelog_function(name, args, *span)?
                    }
                    _ => self.window_function(name, args, *span)?,
                };
                self.aliased(rel, alias.as_ref(), None)
            }
            TableRef::Unnest { expr, with_ordinality, alias, span } => {
                let columns = Vec::new();
                let one = Rel { kind: RelKind::Values { columns, rows: 1 }, fields: Vec::new() };
                self.unnest(one, expr, *with_ordinality, alias.as_ref(), JoinType::Cross, *span)
            }
            TableRef::Match { recognize, alias } => {
                let rel = self.match_recognize(recognize)?;
                self.aliased(rel, alias.as_ref(), None)
            }
            TableRef::Join { left, right, kind, constraint, span } => {
                self.join(left, right, *kind, constraint, *span)
            }
        }
    }

    pub(super) fn aliased(
        &self,
        mut rel: Rel,
        alias: Option<&Alias>,
        own: Option<&str>,
    ) -> SqlResult<Rel> {
        if let Some(alias) = alias {
            rel = rename(rel, &alias.columns, alias.name.span)?;
        }
        let qualifier = alias.map(|a| a.name.value.as_str()).or(own);
        for field in &mut rel.fields {
            field.qualifier = qualifier.map(str::to_owned);
        }
        Ok(rel)
    }

    /// A CTE, a view or a table.
    pub(super) fn named(
        &mut self,
        name: &ObjectName,
        hints: &[(StringLiteral, StringLiteral)],
    ) -> SqlResult<Rel> {
        let last = name.last();
        if name.0.len() == 1
            && let Some((_, rel)) = self.ctes.iter().rev().find(|(n, _)| *n == last.value)
        {
            return Ok(rel.clone());
        }
        match self.context.object(name) {
            Some(Object::Table(table)) => {
                if !hints.iter().any(|(key, _)| key.value == "connector") {
                    check_usable(self.context, table, name.span())?;
                }
                Ok(scan(table, hints))
            }
            Some(Object::View(view)) => {
                if self.view_depth >= VIEW_DEPTH_MAX {
                    let message = format!("views nest deeper than {VIEW_DEPTH_MAX} levels");
                    return Err(SqlError::new(message, last.span));
                }
                let hidden = std::mem::take(&mut self.ctes);
                let scope = self.scope.take();
                let home = self.context.home.replace(&view.home);
                self.view_depth += 1;
                let rel = self.query(&view.query);
                self.view_depth -= 1;
                self.context.home = home;
                self.ctes = hidden;
                self.scope = scope;
                let names: Vec<Ident> = view
                    .columns
                    .iter()
                    .map(|value| Ident { value: value.clone(), span: last.span })
                    .collect();
                rename(rel?, &names, last.span)
            }
            None => {
                let error = SqlError::new(format!("unknown table '{}'", last.value), name.span());
                let names = self.context.catalog.iter().map(|(n, _)| n);
                Err(match mainstem_core::options::nearest(&last.value, names) {
                    Some(near) => error.with_hint(format!("did you mean '{near}'?")),
                    None => error.with_hint("declare it with CREATE TABLE first"),
                })
            }
        }
    }

    fn join(
        &mut self,
        left: &TableRef,
        right: &TableRef,
        kind: JoinType,
        constraint: &JoinConstraint,
        span: Span,
    ) -> SqlResult<Rel> {
        let tables = [left, right];
        self.ttl.see(right);
        let left = self.from(left)?;
        if let TableRef::Unnest { expr, with_ordinality, alias, span } = right {
            let rel = self.unnest(left, expr, *with_ordinality, alias.as_ref(), kind, *span)?;
            return self.unnest_condition(rel, kind, constraint, *span);
        }
        if let TableRef::Derived { query, alias, lateral: true } = right {
            return self.lateral(left, query, alias.as_ref(), kind, constraint, span);
        }
        let (right, as_of) = match right {
            TableRef::Table { name, hints, system_time: Some(time), alias } => {
                let rel = self.named(name, hints)?;
                (self.aliased(rel, alias.as_ref(), Some(&name.last().value))?, Some(time))
            }
            other => (self.from(other)?, None),
        };
        let mut fields: Vec<RelField> = left.fields.iter().chain(&right.fields).cloned().collect();
        for (i, field) in fields.iter_mut().enumerate() {
            let in_left = i < left.fields.len();
            let may_be_missing = match kind {
                JoinType::Left => !in_left,
                JoinType::Right => in_left,
                JoinType::Full => true,
                JoinType::Inner | JoinType::Cross => false,
            };
            field.data_type.nullable |= may_be_missing;
            field.fade();
        }
        let width = left.fields.len();
        let pairs = match constraint {
            JoinConstraint::Using(names) => {
                self.named_in_both(&left.fields, &right.fields, names)?
            }
            JoinConstraint::Natural => self.same_names(&left.fields, &right.fields, span)?,
            JoinConstraint::On(_) | JoinConstraint::None => Vec::new(),
        };
        let condition = match constraint {
            JoinConstraint::On(expr) if kind == JoinType::Inner && has_subquery(expr) => {
                return self.join_on_subqueries([left, right], tables, expr, fields);
            }
            JoinConstraint::On(expr) if as_of.is_none() && has_subquery(expr) => {
                let kind = join_kind(kind);
                return self.outer_join_on_subqueries([left, right], tables, kind, expr, fields);
            }
            JoinConstraint::On(expr) => Some(self.expressions(&fields).condition(expr, "ON")?),
            _ => self.equal_names(&pairs, &fields, width, span)?,
        };
        let joined = match as_of {
            Some(time) => self.join_as_of(left, right, time, kind, condition, fields)?,
            None => {
                let rel = equi_join(left, right, join_kind(kind), condition, fields);
                self.rows_kept(rel, tables)
            }
        };
        match constraint {
            JoinConstraint::Using(_) | JoinConstraint::Natural => {
                self.merged(joined, &pairs, width, kind, span)
            }
            JoinConstraint::On(_) | JoinConstraint::None => Ok(joined),
        }
    }

    /// ON behind an UNNEST: a filter of an inner join; of an outer one it says which elements there are.
    fn unnest_condition(
        &self,
        rel: Rel,
        kind: JoinType,
        constraint: &JoinConstraint,
        span: Span,
    ) -> SqlResult<Rel> {
        match constraint {
            JoinConstraint::None => Ok(rel),
            JoinConstraint::On(on) if matches!(on.kind.as_ref(), ExprKind::Boolean(true)) => {
                Ok(rel)
            }
            JoinConstraint::On(on) if kind == JoinType::Inner => {
                let predicate = self.expressions(&rel.fields).condition(on, "ON")?;
                Ok(filter(rel, predicate))
            }
            JoinConstraint::On(on) => self.unnested_where(rel, on),
            JoinConstraint::Using(_) | JoinConstraint::Natural => {
                Err(SqlError::new("UNNEST takes no USING", span))
            }
        }
    }

    fn unnest(
        &mut self,
        left: Rel,
        expr: &Expr,
        with_ordinality: bool,
        alias: Option<&Alias>,
        kind: JoinType,
        span: Span,
    ) -> SqlResult<Rel> {
        let bound = self.expressions(&left.fields).bind(expr)?;
        let mut made: Vec<RelField> = match &bound.data_type.kind {
            TypeKind::Array(item) | TypeKind::Multiset(item) => match &item.kind {
                TypeKind::Row(fields) => {
                    fields.iter().map(|f| RelField::new(&f.name, f.data_type.clone())).collect()
                }
                _ => vec![RelField::new("EXPR$0", item.as_ref().clone())],
            },
            TypeKind::Map(key, value) => vec![
                RelField::new("f0", key.as_ref().clone()),
                RelField::new("f1", value.as_ref().clone()),
            ],
            other => {
                let message = format!("UNNEST takes an ARRAY, MAP or MULTISET, this is {other}");
                return Err(SqlError::new(message, expr.span));
            }
        };
        let multiset = matches!(bound.data_type.kind, TypeKind::Multiset(_));
        let flatten = !matches!(&bound.data_type.kind, TypeKind::Array(i) if !matches!(i.kind, TypeKind::Row(_)));
        if with_ordinality {
            made.push(RelField::new("ORDINALITY", TypeKind::Int.not_null()));
        }
        let outer = match kind {
            JoinType::Left => true,
            JoinType::Cross | JoinType::Inner => false,
            _ => return Err(SqlError::new("UNNEST is joined with CROSS JOIN or LEFT JOIN", span)),
        };
        let width = left.fields.len();
        let (input, column) = with_columns(left, vec![bound]);
        let column = column[0];
        let inner_width = input.fields.len();
        let mut fields = input.fields.clone();
        let mut unnested =
            Rel { kind: RelKind::Values { columns: Vec::new(), rows: 0 }, fields: made };
        unnested = self.aliased(unnested, alias, None)?;
        for field in &mut unnested.fields {
            field.data_type.nullable |= outer;
        }
        fields.extend(unnested.fields);
        let total = fields.len();
        let rel = Rel {
            kind: RelKind::Unnest {
                input: Box::new(input),
                column,
                flatten,
                multiset,
                with_ordinality,
                outer,
                condition: None,
            },
            fields,
        };
        let keep: Vec<usize> = (0..width).chain(inner_width..total).collect();
        Ok(rel.select(&keep))
    }
}

/// The expressions of a select list.
fn written_items(select: &Select) -> Vec<&Expr> {
    let mut written = Vec::new();
    for item in &select.items {
        if let SelectItem::Expr { expr, .. } = item {
            written.push(expr);
        }
    }
    written
}

/// Reads all columns of a table.
fn scan(table: &Arc<Table>, hints: &[(StringLiteral, StringLiteral)]) -> Rel {
    let mut options: Options = table.options.clone();
    options.extend(hints.iter().map(|(k, v)| (k.value.clone(), v.value.clone())));
    let rowtime = table.watermark.as_ref().map(|w| w.column);
    let fields = table
        .columns
        .iter()
        .enumerate()
        .map(|(i, column)| RelField {
            time: if column.is_proctime {
                Some(TimeAttribute::Processing)
            } else {
                (rowtime == Some(i)).then_some(TimeAttribute::Event)
            },
            ..RelField::new(&column.name, column.data_type.clone())
        })
        .collect();
    let columns = (0..table.columns.len()).collect();
    let kind = RelKind::Scan { table: Arc::clone(table), options, columns, filters: Vec::new() };
    Rel { kind, fields }
}

pub(super) fn filter(input: Rel, predicate: Bound) -> Rel {
    let fields = input.fields.clone();
    Rel { kind: RelKind::Filter { input: Box::new(input), predicate }, fields }
}

pub(super) fn distinct(input: Rel) -> Rel {
    let fields: Vec<RelField> =
        input.fields.iter().map(|f| RelField { time: None, window: None, ..f.clone() }).collect();
    let keys = (0..fields.len()).collect();
    Rel {
        kind: RelKind::Aggregate { input: Box::new(input), keys, aggregates: Vec::new() },
        fields,
    }
}

/// `rel` with `extra` computed behind its columns, unless they are columns already; and where they are.
pub(super) fn with_columns(rel: Rel, extra: Vec<Bound>) -> (Rel, Vec<usize>) {
    let mut places = Vec::new();
    let mut fields = rel.fields.clone();
    let mut exprs: Vec<Bound> =
        fields.iter().enumerate().map(|(i, f)| Bound::column(i, f.data_type.clone())).collect();
    for expr in extra {
        places.push(expr.as_column().unwrap_or_else(|| {
            fields.push(RelField::new(format!("EXPR${}", fields.len()), expr.data_type.clone()));
            exprs.push(expr);
            exprs.len() - 1
        }));
    }
    if exprs.len() == rel.fields.len() {
        return (rel, places);
    }
    (Rel { kind: RelKind::Project { input: Box::new(rel), exprs }, fields }, places)
}

fn rename(mut rel: Rel, names: &[Ident], span: Span) -> SqlResult<Rel> {
    if names.is_empty() {
        return Ok(rel);
    }
    if names.len() != rel.fields.len() {
        let message = format!(
            "{} column names are given, the query has {} columns",
            names.len(),
            rel.fields.len()
        );
        return Err(SqlError::new(message, span));
    }
    for (field, name) in rel.fields.iter_mut().zip(names) {
        field.name = name.value.clone();
    }
    Ok(rel)
}

/// The expressions and fields of a select list; `input` are the fields that `*` stands for.
fn select_list(
    binder: &ExprBinder<'_>,
    select: &Select,
    input: &[RelField],
) -> SqlResult<(Vec<Bound>, Vec<RelField>)> {
    let (mut exprs, mut fields): (Vec<Bound>, Vec<RelField>) = (Vec::new(), Vec::new());
    for item in &select.items {
        match item {
            SelectItem::Wildcard { span, .. } if binder.grouping.is_some() => {
                return Err(SqlError::new("* cannot stand in an aggregation", *span)
                    .with_hint("name the columns of GROUP BY"));
            }
            SelectItem::Wildcard { qualifier, span } => {
                wildcard(qualifier.as_ref(), *span, input, &mut exprs, &mut fields)?;
            }
            SelectItem::Expr { expr, alias } => {
                let bound = binder.bind(expr)?;
                let source = match (bound.as_column(), binder.grouping) {
                    (Some(index), None) => input.get(index).cloned(),
                    (Some(index), Some(grouping)) => {
                        grouping.borrow().keys.get(index).map(|k| k.field.clone())
                    }
                    (None, _) => None,
                };
                let name = match (alias, expr.kind.as_ref()) {
                    (Some(alias), _) => alias.value.clone(),
                    (None, ExprKind::Column(parts)) => parts[parts.len() - 1].value.clone(),
                    (None, ExprKind::Field { name, .. }) => name.value.clone(),
                    (None, _) => format!("EXPR${}", fields.len()),
                };
                let is_proctime =
                    matches!(&bound.kind, BoundKind::Call { name, .. } if name == "PROCTIME");
                fields.push(RelField {
                    qualifier: None,
                    name,
                    data_type: bound.data_type.clone(),
                    time: match &source {
                        Some(field) => field.time,
                        None => is_proctime.then_some(TimeAttribute::Processing),
                    },
                    faded: source.as_ref().is_some_and(|field| field.faded),
                    window: source.and_then(|f| f.window),
                    hidden: false,
                });
                exprs.push(bound);
            }
        }
    }
    Ok((exprs, fields))
}

fn wildcard(
    qualifier: Option<&ObjectName>,
    span: Span,
    input: &[RelField],
    exprs: &mut Vec<Bound>,
    fields: &mut Vec<RelField>,
) -> SqlResult<()> {
    let wanted = qualifier.map(|q| q.last().value.as_str());
    let before = fields.len();
    for (i, field) in input.iter().enumerate() {
        let is_wanted = match wanted {
            None => !field.hidden,
            Some(_) => field.qualifier.as_deref() == wanted,
        };
        if is_wanted {
            exprs.push(Bound::column(i, field.data_type.clone()));
            fields.push(RelField { qualifier: None, hidden: false, ..field.clone() });
        }
    }
    if fields.len() > before {
        return Ok(());
    }
    let row = wanted.and_then(|name| input.iter().position(|f| f.name == name));
    if let Some(index) = row
        && let TypeKind::Row(row_fields) = &input[index].data_type.kind
    {
        for (i, f) in row_fields.iter().enumerate() {
            let base = Bound::column(index, input[index].data_type.clone());
            let data_type =
                f.data_type.with_nullable(f.data_type.nullable || input[index].data_type.nullable);
            exprs.push(Bound::field(base, i, &f.name, data_type.clone()));
            fields.push(RelField::new(&f.name, data_type));
        }
        return Ok(());
    }
    match wanted {
        Some(name) => Err(SqlError::new(format!("unknown table '{name}'"), span)),
        None => Err(SqlError::new("SELECT * needs a table in FROM", span)),
    }
}

/// The conjuncts of a condition.
pub(crate) fn conjuncts(predicate: Bound, out: &mut Vec<Bound>) {
    match predicate.kind {
        BoundKind::Logic(true, left, right) => {
            conjuncts(*left, out);
            conjuncts(*right, out);
        }
        _ => out.push(predicate),
    }
}

/// One condition of several, or none.
pub(crate) fn conjunction(parts: Vec<Bound>) -> Option<Bound> {
    parts.into_iter().reduce(|left, right| {
        let nullable = left.data_type.nullable || right.data_type.nullable;
        Bound {
            kind: BoundKind::Logic(true, Box::new(left), Box::new(right)),
            data_type: DataType { kind: TypeKind::Boolean, nullable },
        }
    })
}

fn join_kind(kind: JoinType) -> JoinKind {
    match kind {
        JoinType::Inner | JoinType::Cross => JoinKind::Inner,
        JoinType::Left => JoinKind::Left,
        JoinType::Right => JoinKind::Right,
        JoinType::Full => JoinKind::Full,
    }
}

/// A join on `condition`, by time where it is one.
pub(super) fn equi_join(
    left: Rel,
    right: Rel,
    kind: JoinKind,
    condition: Option<Bound>,
    fields: Vec<RelField>,
) -> Rel {
    time_join::recognised(regular_join(left, right, kind, condition, fields))
}

/// A join on `condition`: its equalities become keys.
pub(super) fn regular_join(
    left: Rel,
    right: Rel,
    kind: JoinKind,
    condition: Option<Bound>,
    fields: Vec<RelField>,
) -> Rel {
    let (width, right_width) = (left.fields.len(), right.fields.len());
    let (mut left_exprs, mut right_exprs, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    let mut parts = Vec::new();
    if let Some(condition) = condition {
        conjuncts(condition, &mut parts);
    }
    for part in parts {
        let is_left =
            |b: &Bound| columns_of(b).iter().all(|c| *c < width) && !columns_of(b).is_empty();
        let is_right =
            |b: &Bound| columns_of(b).iter().all(|c| *c >= width) && !columns_of(b).is_empty();
        if let BoundKind::Call { op: Some(BinaryOp::Eq), args, .. } = &part.kind
            && args[0].data_type.to_arrow() == args[1].data_type.to_arrow()
        {
            let sides = match (&args[0], &args[1]) {
                (a, b) if is_left(a) && is_right(b) => Some((a, b)),
                (a, b) if is_right(a) && is_left(b) => Some((b, a)),
                _ => None,
            };
            if let Some((l, r)) = sides {
                left_exprs.push(l.clone());
                right_exprs.push(r.remap(&|c| c - width));
                continue;
            }
        }
        rest.push(part);
    }
    let (left, left_keys) = with_columns(left, left_exprs);
    let (right, right_keys) = with_columns(right, right_exprs);
    let shift = left.fields.len() - width;
    let residual = conjunction(rest).map(|r| r.remap(&|c| if c < width { c } else { c + shift }));
    let mut all: Vec<RelField> = left.fields.iter().chain(&right.fields).cloned().collect();
    for (i, field) in fields.iter().enumerate() {
        all[if i < width { i } else { i + shift }] = field.clone();
    }
    let right_start = left.fields.len();
    let one_sided = matches!(kind, JoinKind::Semi | JoinKind::Anti);
    if one_sided {
        all.truncate(right_start);
    }
    let joined = Rel {
        kind: RelKind::Join {
            left: Box::new(left),
            right: Box::new(right),
            kind,
            left_keys,
            right_keys,
            residual,
            ttl_ms: [None; 2],
        },
        fields: all,
    };
    let of_right = if one_sided { 0 } else { right_width };
    let keep: Vec<usize> = (0..width).chain(right_start..right_start + of_right).collect();
    joined.select(&keep)
}

/// The options of a hint.
pub(super) fn hint_options(hints: &[(StringLiteral, StringLiteral)]) -> BTreeMap<String, String> {
    hints.iter().map(|(k, v)| (k.value.clone(), v.value.clone())).collect()
}
