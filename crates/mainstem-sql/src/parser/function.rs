//! CREATE FUNCTION ... RETURN, DROP FUNCTION (docs/adr/0010).
//! Invariant: only LANGUAGE SQL is read; the forms that name a class or a file of another language are refused.

use super::Parser;
use crate::ast::{CreateFunction, StatementKind};
use crate::error::{SqlError, SqlResult};
use crate::source::Span;

/// How to write a function.
const USAGE: &str = "usage: CREATE [OR REPLACE] [TEMPORARY] FUNCTION [IF NOT EXISTS] name(a type, ...) [RETURNS type] [LANGUAGE SQL] RETURN expression";

impl Parser {
    /// Behind CREATE [OR REPLACE] [TEMPORARY] FUNCTION.
    pub(super) fn create_function(&mut self, or_replace: bool) -> SqlResult<StatementKind> {
        let if_not_exists = self.take_words(&["IF", "NOT", "EXISTS"]);
        let name = self.function_name()?;
        if !self.is_symbol("(") {
            return Err(foreign("a function that is a class or a file", self.span()));
        }
        let parameters = if self.is_symbol_at(1, ")") {
            self.at += 2;
            Vec::new()
        } else {
            self.parenthesized(|parser| {
                let name = parser.ident()?;
                let data_type = parser.data_type()?;
                if parser.take_word("COMMENT") {
                    parser.string()?;
                }
                Ok((name, data_type))
            })?
        };
        let mut returns = None;
        loop {
            let start = self.span();
            if self.take_word("RETURNS") {
                returns = Some((self.data_type()?, self.span_from(start)));
            } else if self.take_word("LANGUAGE") {
                let language = self.any_word()?;
                if !language.value.eq_ignore_ascii_case("SQL") {
                    let name = language.value.to_uppercase();
                    return Err(foreign(&format!("a function in {name}"), language.span));
                }
            } else if self.take_word("COMMENT") {
                self.string()?;
            } else if self.take_word("DETERMINISTIC") || self.take_words(&["NOT", "DETERMINISTIC"])
            {
                // What the body is can be seen in the body.
            } else if self.take_word("RETURN") {
                let body = self.expr()?;
                return Ok(StatementKind::CreateFunction(Box::new(CreateFunction {
                    name,
                    or_replace,
                    if_not_exists,
                    parameters,
                    returns,
                    body,
                })));
            } else if self.is_word("AS") {
                return Err(SqlError::new("the body of a function follows RETURN, not AS", start)
                    .with_hint(USAGE));
            } else {
                return Err(self
                    .expected("RETURNS, LANGUAGE SQL, COMMENT or RETURN")
                    .with_hint(USAGE));
            }
        }
    }

    /// Behind DROP [TEMPORARY] FUNCTION.
    pub(super) fn drop_function(&mut self) -> SqlResult<StatementKind> {
        let if_exists = self.if_exists();
        Ok(StatementKind::DropFunction { if_exists, name: self.function_name()? })
    }
}

fn foreign(what: &str, span: Span) -> SqlError {
    SqlError::unsupported(what, span).with_hint(format!("functions are written in SQL; {USAGE}"))
}
