//! GROUP BY: which expressions are keys, which are aggregate calls, and what the select list may say of them.
//! Invariant: while a select list is bound, every column of the result is a key or an aggregate; anything else is
//! refused with its place. Arguments, filters and keys are computed once, by a projection below the aggregation.

use std::cell::RefCell;
use std::rc::Rc;

use mainstem_core::{DataType, TypeKind};
use mainstem_engine::aggregate::AggregateCall;

use super::aggregate_call::{is_variance, settle, variance};
use super::expr::ExprBinder;
use super::scope::Surroundings;
use crate::ast::{Call, Expr, ExprKind, OverWindow};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::rel::RelField;
use crate::source::Span;

/// Names of Flink's aggregate functions, so that one that is missing is refused as such.
const AGGREGATES: &[&str] = &[
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "SUM0",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "VARIANCE",
    "VAR_POP",
    "VAR_SAMP",
    "COLLECT",
    "LISTAGG",
    "FIRST_VALUE",
    "LAST_VALUE",
    "ARRAY_AGG",
    "JSON_OBJECTAGG",
    "JSON_ARRAYAGG",
    "APPROX_COUNT_DISTINCT",
    "SINGLE_VALUE",
    "PERCENTILE",
    "BITMAP_BUILD_AGG",
    "BITMAP_BUILD_CARDINALITY_AGG",
    "BITMAP_OR_AGG",
    "BITMAP_OR_CARDINALITY_AGG",
    "BITMAP_AND_AGG",
    "BITMAP_AND_CARDINALITY_AGG",
    "BITMAP_XOR_AGG",
    "BITMAP_XOR_CARDINALITY_AGG",
];

/// Legacy group windows and the functions that read them.
const WINDOW_PARTS: &[&str] = &["START", "END", "ROWTIME", "PROCTIME"];

/// A key of an aggregation.
pub(super) struct Key {
    /// Over the input.
    pub(super) expr: Bound,
    /// What the column is in the result.
    pub(super) field: RelField,
}

/// The aggregation whose select list is being bound.
pub(super) struct Grouping {
    pub(super) input: Rc<[RelField]>,
    /// In the order of GROUP BY, window columns of a legacy window last.
    pub(super) keys: Vec<Key>,
    /// What arguments of calls may refer to besides `input`.
    pub(super) around: Surroundings,
    /// The keys of each grouping set; the number of the set is then the last key. Empty for a plain GROUP BY.
    pub(super) sets: Vec<Vec<usize>>,
    /// The text of a legacy window's arguments and the key where its start, end and time stand.
    pub(super) legacy_window: Option<(String, usize)>,
    /// Columns of the projection below: keys first, then arguments and filters.
    pub(super) projected: Vec<Bound>,
    pub(super) calls: Vec<(String, AggregateCall, DataType)>,
}

/// True if an aggregate function is called in `expr`.
pub(super) fn has_aggregate(expr: &Expr) -> bool {
    let mut found = false;
    visit(expr, &mut |e| {
        if let ExprKind::Function(call) = e.kind.as_ref() {
            found |= is_aggregate(call);
        }
    });
    found
}

pub(super) fn is_aggregate(call: &Call) -> bool {
    let name = &call.name.last().value;
    call.name.0.len() == 1 && AGGREGATES.iter().any(|a| a.eq_ignore_ascii_case(name))
}

/// Calls `see` with `expr` and all expressions in it, sub-queries excepted.
pub(super) fn visit(expr: &Expr, see: &mut impl FnMut(&Expr)) {
    see(expr);
    let mut go = |list: &[&Expr]| list.iter().for_each(|e| visit(e, see));
    match expr.kind.as_ref() {
        ExprKind::Field { base, .. } => go(&[base]),
        ExprKind::Element { base, index } => go(&[base, index]),
        ExprKind::Not(e)
        | ExprKind::Negate(e)
        | ExprKind::Plus(e)
        | ExprKind::Is { expr: e, .. }
        | ExprKind::InSubquery { expr: e, .. }
        | ExprKind::Quantified { left: e, .. }
        | ExprKind::Cast { expr: e, .. }
        | ExprKind::Extract { expr: e, .. }
        | ExprKind::RoundTime { expr: e, .. } => go(&[e]),
        ExprKind::Binary { left, right, .. } | ExprKind::Difference { left, right, .. } => {
            go(&[left, right]);
        }
        ExprKind::Between { expr, low, high, .. } => go(&[expr, low, high]),
        ExprKind::InList { expr, list, .. } => {
            go(&[expr]);
            go(&list.iter().collect::<Vec<_>>());
        }
        ExprKind::Like { expr, pattern, .. } => go(&[expr, pattern]),
        ExprKind::Case { operand, branches, otherwise } => {
            go(&operand.iter().chain(otherwise).collect::<Vec<_>>());
            branches.iter().for_each(|(c, v)| go(&[c, v]));
        }
        ExprKind::TimestampArithmetic { first, second, .. } => go(&[first, second]),
        ExprKind::Trim { characters, expr, .. } => {
            go(&characters.iter().chain([expr]).collect::<Vec<_>>());
        }
        ExprKind::Overlaps { left, right } => go(&[&left.0, &left.1, &right.0, &right.1]),
        ExprKind::Function(call) => {
            go(&call.args.iter().chain(&call.filter).collect::<Vec<_>>());
        }
        ExprKind::Over { call, window, .. } => {
            go(&call.args.iter().chain(&call.filter).collect::<Vec<_>>());
            if let OverWindow::Inline(window) = window {
                go(&window.partition_by.iter().collect::<Vec<_>>());
                go(&window.order_by.iter().map(|item| &item.expr).collect::<Vec<_>>());
            }
        }
        ExprKind::Array(items) | ExprKind::Map(items) | ExprKind::Row(items) => {
            go(&items.iter().collect::<Vec<_>>());
        }
        ExprKind::JsonExists { input, path, .. }
        | ExprKind::JsonValue { input, path, .. }
        | ExprKind::JsonQuery { input, path, .. } => go(&[input, path]),
        ExprKind::JsonObject { members, .. } => members.iter().for_each(|(k, v)| go(&[k, v])),
        ExprKind::JsonArray { items, .. } => go(&items.iter().collect::<Vec<_>>()),
        ExprKind::Null
        | ExprKind::Boolean(_)
        | ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::Bytes(_)
        | ExprKind::Temporal { .. }
        | ExprKind::Interval { .. }
        | ExprKind::Column(_)
        | ExprKind::Exists(_)
        | ExprKind::Subquery(_) => {}
    }
}

impl Grouping {
    /// What a sub-query of HAVING or of the select list sees: the columns that are keys, by their place.
    pub(super) fn scope(&self) -> Vec<RelField> {
        let seen = |key: &Key| match key.expr.as_column().and_then(|c| self.input.get(c)) {
            Some(field) => RelField { data_type: key.field.data_type.clone(), ..field.clone() },
            None => RelField::new("", key.field.data_type.clone()),
        };
        self.keys.iter().map(seen).collect()
    }

    /// The column of the aggregation's result that `expr` stands for; `None` if its parts have to be looked at.
    pub(super) fn resolve(
        this: &RefCell<Self>,
        binder: &ExprBinder<'_>,
        expr: &Expr,
    ) -> SqlResult<Option<Bound>> {
        let input = Rc::clone(&this.borrow().input);
        let around = this.borrow().around.clone();
        let below = ExprBinder { session: binder.session, fields: &input, grouping: None, around };
        if let ExprKind::Function(call) = expr.kind.as_ref() {
            if is_aggregate(call) {
                return this.borrow_mut().call(&below, call, expr.span).map(Some);
            }
            if let Some(bound) = this.borrow().window_part(&below, call)? {
                return Ok(Some(bound));
            }
            if let Some(bound) = this.borrow().set_part(&below, call, expr.span)? {
                return Ok(Some(bound));
            }
        }
        if !has_aggregate(expr)
            && let Ok(bound) = below.bind(expr)
        {
            let wanted = bound.identity();
            let grouping = this.borrow();
            let key = grouping.keys.iter().position(|k| k.expr.identity() == wanted);
            if let Some(index) = key {
                let data_type = grouping.keys[index].field.data_type.clone();
                return Ok(Some(Bound::column(index, data_type)));
            }
            if bound.as_column().is_some() {
                return Err(SqlError::new(
                    "this column is neither in GROUP BY nor inside an aggregate function",
                    expr.span,
                )
                .with_hint("add it to GROUP BY, or wrap it in MIN, MAX or FIRST_VALUE"));
            }
        }
        Ok(None)
    }

    /// TUMBLE_START(...) and its like over the window of GROUP BY.
    fn window_part(&self, below: &ExprBinder<'_>, call: &Call) -> SqlResult<Option<Bound>> {
        let name = call.name.last().value.to_ascii_uppercase();
        let Some((window, part)) = name.rsplit_once('_') else { return Ok(None) };
        if !["TUMBLE", "HOP", "SESSION", "CUMULATE"].contains(&window)
            || !WINDOW_PARTS.contains(&part)
        {
            return Ok(None);
        }
        let text = legacy_text(below, window, &call.args)?;
        match &self.legacy_window {
            Some((own, first)) if *own == text => {
                let index =
                    first + WINDOW_PARTS.iter().position(|p| *p == part).unwrap_or(0).min(2);
                Ok(Some(Bound::column(index, self.keys[index].field.data_type.clone())))
            }
            _ => Err(SqlError::new(
                format!("{name} needs the same {window}(...) in GROUP BY"),
                call.name.span(),
            )),
        }
    }

    fn call(&mut self, below: &ExprBinder<'_>, call: &Call, span: Span) -> SqlResult<Bound> {
        let name = call.name.last().value.to_ascii_uppercase();
        if call.args.iter().any(has_aggregate) {
            return Err(SqlError::new("an aggregate function cannot contain another one", span));
        }
        let args = call.args.iter().map(|a| below.bind(a)).collect::<SqlResult<Vec<_>>>()?;
        let filter = match &call.filter {
            Some(filter) => Some(below.condition(filter, "FILTER")?),
            None => None,
        };
        if is_variance(&name) {
            let mut add = |name: &'static str, arg: Bound| {
                self.add(below, name, call, vec![arg], filter.as_ref(), span)
            };
            return variance(below, &name, args, span, &mut add);
        }
        self.add(below, &name, call, args, filter.as_ref(), span)
    }

    /// The column of the result for a call of `name` with the DISTINCT and NULLs clauses of `call`.
    fn add(
        &mut self,
        below: &ExprBinder<'_>,
        name: &str,
        call: &Call,
        args: Vec<Bound>,
        filter: Option<&Bound>,
        span: Span,
    ) -> SqlResult<Bound> {
        let shown: Vec<String> = args.iter().map(Bound::fingerprint).collect();
        let mut text = format!(
            "{name}({}{}{})",
            if call.distinct { "DISTINCT " } else { "" },
            if shown.is_empty() { "*".to_owned() } else { shown.join(", ") },
            if call.ignore_nulls == Some(true) { " IGNORE NULLS" } else { "" }
        );
        if let Some(filter) = filter {
            text.push_str(&format!(" FILTER {}", filter.fingerprint()));
        }
        let first_call = self.keys.len();
        let settled = settle(below, name, call, args, span)?;
        let args: Vec<usize> = settled.args.into_iter().map(|a| self.project(a)).collect();
        let filter = filter.map(|f| self.project(f.clone()));
        let existing = self.calls.iter().position(|(known, aggregate, _)| {
            *known == text && aggregate.args == args && aggregate.filter == filter
        });
        let index = existing.unwrap_or_else(|| {
            let (function, distinct) = (settled.function, call.distinct);
            let aggregate = AggregateCall { function, args, filter, distinct };
            self.calls.push((text, aggregate, settled.data_type));
            self.calls.len() - 1
        });
        Ok(Bound::column(first_call + index, self.calls[index].2.clone()))
    }

    /// The column of the projection below that computes `expr`.
    pub(super) fn project(&mut self, expr: Bound) -> usize {
        let text = expr.identity();
        let known = self.projected.iter().position(|p| p.identity() == text);
        known.unwrap_or_else(|| {
            self.projected.push(expr);
            self.projected.len() - 1
        })
    }
}

/// Text that is equal for a legacy window and the functions that read it.
pub(super) fn legacy_text(
    below: &ExprBinder<'_>,
    window: &str,
    args: &[Expr],
) -> SqlResult<String> {
    let args = args.iter().map(|a| below.bind(a)).collect::<SqlResult<Vec<_>>>()?;
    Ok(format!("{window}{args:?}"))
}

pub(super) fn refuse(name: &str, types: &[DataType], span: Span) -> SqlError {
    if name == "APPROX_COUNT_DISTINCT" {
        return SqlError::new("APPROX_COUNT_DISTINCT is for batch jobs, in Flink too", span)
            .with_hint("COUNT(DISTINCT ...) is exact");
    }
    if !AGGREGATES.contains(&name) {
        return SqlError::unsupported(format!("the aggregate function {name}"), span);
    }
    let types: Vec<String> = types.iter().map(|t| t.kind.to_string()).collect();
    let error = SqlError::new(format!("{name} cannot be applied to ({})", types.join(", ")), span);
    if types.iter().any(|t| *t == TypeKind::STRING.to_string()) {
        return error.with_hint("the argument is text: CAST it to a number first");
    }
    error
}
