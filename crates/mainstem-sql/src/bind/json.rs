//! The JSON forms of SQL, with their clauses.

use super::expr::ExprBinder;
use crate::ast::{Expr, ExprKind, IsTest, JsonBehavior};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::functions::json::construct::{self, Member, OnNull};
use crate::functions::json::exists::{self, ExistsOnError};
use crate::functions::json::predicate::{self, JsonKind};
use crate::functions::json::query::{self, QueryFallback, QueryOptions, Wrapper};
use crate::functions::json::value::{self, ValueFallback, ValueOptions};
use crate::functions::lookup;
use crate::source::Span;

impl ExprBinder<'_> {
    pub(super) fn is_json(
        &self,
        expr: &Expr,
        test: IsTest,
        negated: bool,
        span: Span,
    ) -> SqlResult<Bound> {
        let kind = match test {
            IsTest::JsonObject => JsonKind::Object,
            IsTest::JsonArray => JsonKind::Array,
            IsTest::JsonScalar => JsonKind::Scalar,
            _ => JsonKind::Value,
        };
        let arg = self.bind(expr)?;
        let binding = predicate::bind(&arg.argument(), kind, negated);
        let not = if negated { "NOT " } else { "" };
        self.settled(&format!("IS {not}JSON {kind:?}"), binding, vec![arg], span)
    }

    /// JSON_EXISTS, JSON_VALUE, JSON_QUERY, JSON_OBJECT, JSON_ARRAY.
    pub(super) fn json_form(&self, expr: &Expr) -> SqlResult<Bound> {
        let span = expr.span;
        match expr.kind.as_ref() {
            ExprKind::JsonExists { input, path, on_error } => {
                let args = vec![self.bind(input)?, self.bind(path)?];
                let fallback = match on_error.as_deref() {
                    None | Some("FALSE") => ExistsOnError::False,
                    Some("TRUE") => ExistsOnError::True,
                    Some("UNKNOWN") => ExistsOnError::Unknown,
                    Some("ERROR") => ExistsOnError::Error,
                    Some(other) => {
                        let message =
                            format!("expected TRUE, FALSE, UNKNOWN or ERROR, found {other}");
                        return Err(SqlError::new(message, span));
                    }
                };
                let binding = exists::bind(&args[0].argument(), &args[1].argument(), fallback);
                self.settled(&format!("JSON_EXISTS {fallback:?}"), binding, args, span)
            }
            ExprKind::JsonValue { input, path, returning, on_empty, on_error } => {
                let mut args = vec![self.bind(input)?, self.bind(path)?];
                let mut options = ValueOptions::default();
                if let Some(returning) = returning {
                    options.returning = returning.kind.clone();
                }
                options.on_empty = self.value_fallback(on_empty.as_ref(), &mut args, span)?;
                options.on_error = self.value_fallback(on_error.as_ref(), &mut args, span)?;
                let binding = value::bind(&args[0].argument(), &args[1].argument(), &options);
                self.settled(&format!("JSON_VALUE {options:?}"), binding, args, span)
            }
            ExprKind::JsonQuery { input, path, returning, wrapper, on_empty, on_error } => {
                let args = vec![self.bind(input)?, self.bind(path)?];
                let mut options = QueryOptions::default();
                if let Some(returning) = returning {
                    options.returning = returning.kind.clone();
                }
                options.wrapper = match *wrapper {
                    "CONDITIONAL" => Wrapper::Conditional,
                    "UNCONDITIONAL" => Wrapper::Unconditional,
                    _ => Wrapper::Without,
                };
                options.on_empty = query_fallback(on_empty.as_ref(), span)?;
                options.on_error = query_fallback(on_error.as_ref(), span)?;
                let binding = query::bind(&args[0].argument(), &args[1].argument(), &options);
                self.settled(&format!("JSON_QUERY {options:?}"), binding, args, span)
            }
            ExprKind::JsonObject { members, absent_on_null } => {
                let (mut args, mut pairs) = (Vec::new(), Vec::new());
                for (key, source) in members {
                    let key = self.bind(key)?;
                    let value = self.json_member(source)?;
                    pairs.push((key.argument(), member(source, &value)));
                    args.extend([key, value]);
                }
                let on_null = on_null(*absent_on_null);
                let binding = construct::bind_object(&pairs, on_null);
                self.settled(&format!("JSON_OBJECT {on_null:?}"), binding, args, span)
            }
            ExprKind::JsonArray { items, absent_on_null } => {
                let args =
                    items.iter().map(|i| self.json_member(i)).collect::<SqlResult<Vec<_>>>()?;
                let members: Vec<Member> =
                    items.iter().zip(&args).map(|(source, value)| member(source, value)).collect();
                let on_null = on_null(*absent_on_null);
                let binding = construct::bind_array(&members, on_null);
                self.settled(&format!("JSON_ARRAY {on_null:?}"), binding, args, span)
            }
            _ => Err(SqlError::unsupported("this expression", span)),
        }
    }

    /// A value of a constructor; JSON(text) may stand here only.
    fn json_member(&self, expr: &Expr) -> SqlResult<Bound> {
        if let ExprKind::Function(call) = expr.kind.as_ref()
            && call.name.last().value.eq_ignore_ascii_case("JSON")
            && lookup("JSON").is_none()
        {
            let args = call.args.iter().map(|a| self.bind(a)).collect::<SqlResult<Vec<_>>>()?;
            let arguments: Vec<_> = args.iter().map(Bound::argument).collect();
            let binding = (crate::functions::json::text::JSON.bind)(&arguments, self.session);
            return self.settled("JSON", binding, args, expr.span);
        }
        self.bind(expr)
    }

    fn value_fallback(
        &self,
        behavior: Option<&JsonBehavior>,
        args: &mut Vec<Bound>,
        span: Span,
    ) -> SqlResult<ValueFallback> {
        match behavior {
            None | Some(JsonBehavior::Null) => Ok(ValueFallback::Null),
            Some(JsonBehavior::Error) => Ok(ValueFallback::Error),
            Some(JsonBehavior::Default(expr)) => {
                let bound = self.bind(expr)?;
                let argument = bound.argument();
                args.push(bound);
                Ok(ValueFallback::Default(argument))
            }
            Some(_) => Err(SqlError::new("JSON_VALUE takes NULL, ERROR or DEFAULT here", span)),
        }
    }
}

fn query_fallback(behavior: Option<&JsonBehavior>, span: Span) -> SqlResult<QueryFallback> {
    match behavior {
        None | Some(JsonBehavior::Null) => Ok(QueryFallback::Null),
        Some(JsonBehavior::Error) => Ok(QueryFallback::Error),
        Some(JsonBehavior::EmptyArray) => Ok(QueryFallback::EmptyArray),
        Some(JsonBehavior::EmptyObject) => Ok(QueryFallback::EmptyObject),
        Some(JsonBehavior::Default(expr)) => {
            Err(SqlError::new("JSON_QUERY takes no DEFAULT", expr.span.to(span)))
        }
    }
}

fn on_null(absent: bool) -> OnNull {
    if absent { OnNull::Absent } else { OnNull::Null }
}

/// JSON made right here goes in as it is; any other text is quoted.
fn member(source: &Expr, value: &Bound) -> Member {
    let is_json = match source.kind.as_ref() {
        ExprKind::JsonObject { .. } | ExprKind::JsonArray { .. } => true,
        ExprKind::Function(call) => call.name.last().value.eq_ignore_ascii_case("JSON"),
        _ => false,
    };
    Member { argument: value.argument(), is_json }
}
