//! MATCH_RECOGNIZE: which rows, in which order, which pattern, what is told of a match.
//! Invariant: what Flink refuses of a pattern is refused here, with its place. Expressions over pattern variables are
//! bound by `scope`.

mod scope;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use mainstem_core::{DataType, TypeKind};
use mainstem_engine::match_recognize::{
    AfterMatch, MatchExpr, MatchSpec, MatchVariable, Quantifier,
};
use mainstem_engine::plan::TimeSource;

use self::scope::Clause;
pub(super) use self::scope::MatchScope;
use super::Binder;
use super::expr::ExprBinder;
use super::query::with_columns;
use super::scope::Surroundings;
use crate::ast::{self, ExprKind, Ident, MatchRecognize, OrderItem, PatternItem};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField, RelKind, TimeAttribute};
use crate::source::Span;

/// How many rows `{n}` may ask for: each is a state.
const REPEAT_MAX: u32 = 1_000;

/// The order of rows.
struct Order {
    time: TimeSource,
    /// Of MATCH_ROWTIME().
    time_type: DataType,
    rest: Vec<(usize, bool, bool)>,
}

impl Binder<'_> {
    pub(super) fn match_recognize(&mut self, recognize: &MatchRecognize) -> SqlResult<Rel> {
        let input = self.from(&recognize.input)?;
        let keys = self.partition(recognize, &input)?;
        let order = self.order(recognize, &input)?;
        let variables = variables(&recognize.pattern)?;
        let names: Vec<String> =
            recognize.pattern.iter().map(|item| item.name.value.clone()).collect();
        let defined = definitions(recognize)?;
        let scope = MatchScope::new(&input.fields, names.clone(), order.time_type.clone());
        let scope = Rc::new(RefCell::new(scope));
        let around = Surroundings { matched: Some(Rc::clone(&scope)), ..Surroundings::default() };
        let binder = ExprBinder { around, ..ExprBinder::new(self.context.session, &[]) };
        let mut conditions = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let Some(expr) = defined.get(name.as_str()) else {
                conditions.push(None);
                continue;
            };
            scope.borrow_mut().enter(Clause::Define(at));
            conditions.push(Some(condition(&binder, &scope, expr)?));
        }
        self.check_unused(recognize, &names, &input.fields)?;
        let (mut measures, mut fields) = (Vec::new(), Vec::new());
        for &key in &keys {
            let field = input.fields[key].clone();
            fields.push(RelField { qualifier: None, time: None, window: None, ..field });
        }
        for (expr, name) in &recognize.measures {
            scope.borrow_mut().enter(Clause::Measures);
            let bound = binder.bind(expr)?;
            fields.push(measure_field(&bound, name, &scope.borrow()));
            measures.push(scope.borrow_mut().leave(bound));
        }
        let within_ms = recognize.within.as_ref().map(|e| self.within(e)).transpose()?;
        let after = recognize.after.as_ref();
        let spec = MatchSpec {
            keys,
            time: order.time,
            order: order.rest,
            variables: with_conditions(variables, conditions),
            skip: after.map_or(Ok(AfterMatch::NextRow), |after| skip(after, &names))?,
            // As in Flink, no time at all is no limit.
            within_ms: within_ms.filter(|ms| *ms > 0),
            measures,
        };
        let arguments = scope.borrow_mut().take_arguments();
        let (input, _) = with_columns(input, arguments);
        let kind = RelKind::MatchRecognize { input: Box::new(input), spec: Arc::new(spec) };
        Ok(Rel { kind, fields })
    }

    /// Definitions of variables that are not in the pattern: valid, and without effect.
    fn check_unused(
        &self,
        recognize: &MatchRecognize,
        names: &[String],
        fields: &[RelField],
    ) -> SqlResult<()> {
        for (name, expr) in recognize.define.iter().filter(|(name, _)| !names.contains(&name.value))
        {
            let with_own = names.iter().chain([&name.value]).cloned().collect();
            let mut scope = MatchScope::new(fields, with_own, DataType::string());
            scope.enter(Clause::Define(names.len()));
            let scope = Rc::new(RefCell::new(scope));
            let matched = Some(Rc::clone(&scope));
            let around = Surroundings { matched, ..Surroundings::default() };
            let binder = ExprBinder { around, ..ExprBinder::new(self.context.session, &[]) };
            condition(&binder, &scope, expr)?;
        }
        Ok(())
    }

    fn partition(&self, recognize: &MatchRecognize, input: &Rel) -> SqlResult<Vec<usize>> {
        let binder = self.expressions(&input.fields);
        let column = |expr: &ast::Expr| {
            binder.bind(expr)?.as_column().ok_or_else(|| {
                SqlError::new("PARTITION BY of MATCH_RECOGNIZE takes columns", expr.span)
                    .with_hint("compute the expression in a sub-query and name it")
            })
        };
        recognize.partition_by.iter().map(column).collect()
    }

    fn order(&self, recognize: &MatchRecognize, input: &Rel) -> SqlResult<Order> {
        let binder = self.expressions(&input.fields);
        let column = |item: &OrderItem| {
            binder.bind(&item.expr)?.as_column().ok_or_else(|| {
                SqlError::new("ORDER BY of MATCH_RECOGNIZE takes columns", item.expr.span)
            })
        };
        let hint = "order by the column that has the table's WATERMARK, or by one AS PROCTIME()";
        let Some((first, rest)) = recognize.order_by.split_first() else {
            let message = "MATCH_RECOGNIZE needs ORDER BY a time attribute";
            return Err(SqlError::new(message, recognize.span).with_hint(hint));
        };
        let index = column(first)?;
        let field = &input.fields[index];
        let Some(attribute) = field.time else {
            let message = format!(
                "MATCH_RECOGNIZE must be ordered by a time attribute first, '{}' is {}",
                field.name, field.data_type
            );
            return Err(SqlError::new(message, first.expr.span).with_hint(hint));
        };
        if first.descending {
            let message = "MATCH_RECOGNIZE must be ordered by time ascending";
            return Err(SqlError::new(message, first.expr.span));
        }
        let mut keys = Vec::new();
        for item in rest {
            // Flink: NULL is the smallest value.
            let nulls_first = item.nulls_first.unwrap_or(!item.descending);
            keys.push((column(item)?, item.descending, nulls_first));
        }
        let time_type = match field.data_type.kind {
            TypeKind::TimestampLtz { .. } => TypeKind::TimestampLtz { precision: 3 },
            _ => TypeKind::Timestamp { precision: 3 },
        };
        let time = match attribute {
            TimeAttribute::Event => TimeSource::EventTime { column: index },
            TimeAttribute::Processing => TimeSource::ProcessingTime,
        };
        Ok(Order { time, time_type: time_type.not_null(), rest: keys })
    }

    fn within(&self, expr: &ast::Expr) -> SqlResult<i64> {
        self.interval_ms(expr).map_err(|_| {
            SqlError::new("WITHIN takes a constant interval of days to milliseconds", expr.span)
                .with_hint("WITHIN INTERVAL '1' HOUR")
        })
    }
}

/// A condition of DEFINE.
fn condition(
    binder: &ExprBinder<'_>,
    scope: &RefCell<MatchScope>,
    expr: &ast::Expr,
) -> SqlResult<MatchExpr> {
    let bound = binder.condition(expr, "DEFINE")?;
    let bound = binder.coerce(bound, &TypeKind::Boolean.nullable(), expr.span)?;
    Ok(scope.borrow_mut().leave(bound))
}

/// The variables of a pattern as Flink takes them.
fn variables(pattern: &[PatternItem]) -> SqlResult<Vec<MatchVariable>> {
    let mut variables: Vec<MatchVariable> = Vec::new();
    for item in pattern {
        if variables.iter().any(|v| v.name == item.name.value) {
            let message = format!("variable '{}' stands in the pattern twice", item.name.value);
            return Err(SqlError::new(message, item.name.span)
                .with_hint("give the second one a name and a definition of its own"));
        }
        let quantifier = item.quantifier.map_or(Ok(Quantifier::ONE), quantifier)?;
        if quantifier.min == 0 && variables.last().is_some_and(|v| v.quantifier.keeps_rows()) {
            let message = "an optional variable cannot stand behind a greedy one";
            return Err(SqlError::new(message, item.name.span)
                .with_hint("make the one before it reluctant: write a ? behind its quantifier"));
        }
        let name = item.name.value.clone();
        variables.push(MatchVariable { name, quantifier, condition: None });
    }
    let last = &pattern[pattern.len() - 1];
    let span = last.quantifier.map_or(last.name.span, |q| q.span);
    if variables.iter().all(|v| v.quantifier.min == 0) {
        return Err(SqlError::new("the pattern matches no rows at all", span)
            .with_hint("at least one variable must need a row"));
    }
    if variables.last().is_some_and(|v| v.quantifier.keeps_rows()) {
        return Err(SqlError::new("the last variable of a pattern cannot be greedy", span)
            .with_hint("end with a variable without quantifier, or write a ? behind this one"));
    }
    Ok(variables)
}

fn quantifier(written: ast::PatternQuantifier) -> SqlResult<Quantifier> {
    let ast::PatternQuantifier { min, max, reluctant, span } = written;
    if reluctant && (min, max) == (0, Some(1)) {
        return Err(SqlError::new("?? is not supported in MATCH_RECOGNIZE", span)
            .with_hint("Flink has no reluctant optional variable: write ?"));
    }
    if max.is_some_and(|max| max == 0 || max < min) {
        return Err(SqlError::new("this quantifier takes no rows", span));
    }
    if min.max(max.unwrap_or(0)) > REPEAT_MAX {
        return Err(SqlError::new(
            format!("a variable is repeated {REPEAT_MAX} times at most"),
            span,
        ));
    }
    Ok(Quantifier { min, max, greedy: !reluctant })
}

/// DEFINE by variable.
fn definitions(recognize: &MatchRecognize) -> SqlResult<BTreeMap<&str, &ast::Expr>> {
    let mut defined = BTreeMap::new();
    for (name, expr) in &recognize.define {
        if defined.insert(name.value.as_str(), expr).is_some() {
            let message = format!("variable '{}' is defined twice", name.value);
            return Err(SqlError::new(message, name.span));
        }
    }
    Ok(defined)
}

fn with_conditions(
    variables: Vec<MatchVariable>,
    conditions: Vec<Option<MatchExpr>>,
) -> Vec<MatchVariable> {
    let pairs = variables.into_iter().zip(conditions);
    pairs.map(|(variable, condition)| MatchVariable { condition, ..variable }).collect()
}

fn skip(after: &ast::AfterMatch, names: &[String]) -> SqlResult<AfterMatch> {
    let variable = |name: &Ident| {
        names.iter().position(|n| *n == name.value).ok_or_else(|| {
            SqlError::new(format!("variable '{}' is not in the pattern", name.value), name.span)
        })
    };
    Ok(match after {
        ast::AfterMatch::PastLastRow => AfterMatch::PastLastRow,
        ast::AfterMatch::ToNextRow => AfterMatch::NextRow,
        ast::AfterMatch::ToFirst(name) => AfterMatch::ToFirst(variable(name)?),
        ast::AfterMatch::ToLast(name) => AfterMatch::ToLast(variable(name)?),
    })
}

/// A measure's column; MATCH_ROWTIME() and MATCH_PROCTIME() alone are time attributes.
fn measure_field(bound: &Bound, name: &Ident, scope: &MatchScope) -> RelField {
    let time = bound.as_column().and_then(|slot| scope.time_attribute(slot));
    RelField { time, ..RelField::new(&name.value, bound.data_type.clone()) }
}

/// A constant offset of FIRST and LAST.
fn offset(expr: &ast::Expr) -> SqlResult<u32> {
    match expr.kind.as_ref() {
        ExprKind::Number(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| SqlError::new("an offset is a constant whole number", expr.span))
}

fn twice(span: Span) -> SqlError {
    SqlError::new("FIRST and LAST cannot stand in each other", span)
}
