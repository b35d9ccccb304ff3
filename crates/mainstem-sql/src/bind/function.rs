//! Functions written in SQL: declared once, put in the place of their calls.
//! Invariant: a call means what its body means with the arguments, cast to the parameters' types, in the place of
//! the parameters; an argument that is not deterministic is computed once or refused.

use mainstem_core::DataType;

use super::Context;
use super::expr::ExprBinder;
use crate::ast::CreateFunction;
use crate::bound::Bound;
use crate::coercion;
use crate::error::{SqlError, SqlResult};
use crate::functions;
use crate::functions::user::UserFunction;
use crate::rel::RelField;
use crate::source::Span;

/// Checks CREATE FUNCTION and binds its body.
pub fn bind_create_function(
    context: Context<'_>,
    declared: &CreateFunction,
) -> SqlResult<UserFunction> {
    let name = declared.name.last();
    let upper = name.value.to_ascii_uppercase();
    if functions::is_built_in(&upper) {
        let message = format!("{upper} is a built-in function");
        return Err(SqlError::new(message, name.span).with_hint("give the function another name"));
    }
    let mut fields: Vec<RelField> = Vec::new();
    for (parameter, data_type) in &declared.parameters {
        if fields.iter().any(|f| f.name == parameter.value) {
            let message = format!("parameter '{}' is declared twice", parameter.value);
            return Err(SqlError::new(message, parameter.span));
        }
        fields.push(RelField::new(&parameter.value, data_type.clone()));
    }
    let binder = ExprBinder::new(context.session, &fields);
    let mut body = binder.bind(&declared.body)?;
    if let Some((returns, _)) = &declared.returns {
        let span = declared.body.span;
        let what = || format!("the body is {}, RETURNS says {returns}", body.data_type);
        body = cast_to(&binder, body.clone(), returns, &what, span)?;
    }
    let parameters = fields.into_iter().map(|f| (f.name, f.data_type)).collect();
    Ok(UserFunction { name: name.value.clone(), parameters, body })
}

/// `value` as the type of a parameter or a result.
fn cast_to(
    binder: &ExprBinder<'_>,
    value: Bound,
    to: &DataType,
    what: &dyn Fn() -> String,
    span: Span,
) -> SqlResult<Bound> {
    if !coercion::implicit_cast_allowed(&value.data_type, to) {
        return Err(SqlError::new(what(), span).with_hint("add a CAST"));
    }
    if value.data_type.nullable && !to.nullable {
        return Err(SqlError::new(format!("{}, and it may be NULL", what()), span)
            .with_hint("wrap it in COALESCE"));
    }
    let nullable = value.data_type.nullable;
    let cast = binder.coerce(value, to, span)?;
    Ok(Bound { data_type: to.with_nullable(nullable), ..cast })
}

impl ExprBinder<'_> {
    /// The body of a function with `args` in it.
    pub(super) fn call_user(
        &self,
        function: &UserFunction,
        args: &[Bound],
        span: Span,
    ) -> SqlResult<Bound> {
        let usage = || format!("usage: {}", function.usage());
        if args.len() != function.parameters.len() {
            let message = format!(
                "{} takes {} arguments, found {}",
                function.name,
                function.parameters.len(),
                args.len()
            );
            return Err(SqlError::new(message, span).with_hint(usage()));
        }
        let mut uses = vec![0usize; args.len()];
        function.body.visit_columns(&mut |c| uses[c] += 1);
        let mut values = Vec::with_capacity(args.len());
        for (i, (arg, (name, data_type))) in args.iter().zip(&function.parameters).enumerate() {
            if uses[i] > 1 && !arg.is_deterministic() {
                let message = format!(
                    "the argument for '{name}' gives another value each time, and {} uses it {} times",
                    function.name, uses[i]
                );
                return Err(SqlError::new(message, span)
                    .with_hint("compute it in a sub-query of FROM and pass the column"));
            }
            let what = || {
                format!(
                    "argument {} of {} must be {data_type}, found {}",
                    i + 1,
                    function.name,
                    arg.data_type
                )
            };
            values.push(
                cast_to(self, arg.clone(), data_type, &what, span)
                    .map_err(|e| e.with_hint(usage()))?,
            );
        }
        let data_type = function.body.data_type.clone();
        let body = inlined(&function.body, &values);
        Ok(Bound { data_type, ..body })
    }
}

/// `body` over `values`, with what has become constant computed.
fn inlined(body: &Bound, values: &[Bound]) -> Bound {
    match body.as_column() {
        Some(column) => values[column].clone(),
        None => body.map_children(&mut |child| inlined(child, values)).fold(),
    }
}
