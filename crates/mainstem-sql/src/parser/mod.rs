//! Flink SQL text to syntax, by recursive descent.
//! Invariant: keywords are recognised where the grammar asks for them, so most of them stay usable as names; an
//! error names what was found and what was expected. Nesting is bounded, so hostile input cannot exhaust the stack.
//! The parts: this file walks tokens, `statement` reads statements, `query` SELECT, `expr` expressions, `over` the
//! OVER and WINDOW clauses, `types` types.

mod aggregate;
mod alter;
mod expr;
mod function;
mod grouping;
mod match_recognize;
mod over;
mod query;
mod show;
mod statement;
#[cfg(test)]
mod tests;
mod types;

use crate::ast::{Ident, ObjectName, Statement, StringLiteral};
use crate::catalog::{DEFAULT_CATALOG, DEFAULT_DATABASE};
use crate::error::{SqlError, SqlResult};
use crate::lexer::{Token, TokenKind, tokenize};
use crate::source::Span;

/// How deep expressions and queries may nest.
const DEPTH_MAX: usize = 100;

/// Words that end an expression or a table reference, and so are no implicit alias and no bare column name.
const RESERVED: &[&str] = &[
    "ALL",
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CROSS",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "FALSE",
    "FETCH",
    "FOR",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "MATCH_RECOGNIZE",
    "NATURAL",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "QUALIFY",
    "RIGHT",
    "SELECT",
    "SIMILAR",
    "TABLESAMPLE",
    "THEN",
    "TRUE",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// All statements of `text`; each either parsed or refused, so that one bad statement does not hide the next.
pub fn parse_statements(text: &str) -> Vec<SqlResult<Statement>> {
    let tokens = match tokenize(text) {
        Ok(tokens) => tokens,
        Err(error) => return vec![Err(error)],
    };
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let mut statements = Vec::new();
    loop {
        while parser.take_symbol(";") {}
        if parser.peek().kind == TokenKind::End {
            return statements;
        }
        let parsed = parser.statement().and_then(|statement| {
            if parser.is_symbol(";") || parser.peek().kind == TokenKind::End {
                Ok(statement)
            } else {
                Err(parser.expected("the end of the statement (;)"))
            }
        });
        if parsed.is_err() {
            parser.skip_statement();
        }
        statements.push(parsed);
    }
}

/// One expression and nothing else.
pub fn parse_expression(text: &str) -> SqlResult<crate::ast::Expr> {
    let mut parser = Parser { tokens: tokenize(text)?, at: 0, depth: 0 };
    let expr = parser.expr()?;
    match parser.peek().kind {
        TokenKind::End => Ok(expr),
        _ => Err(parser.expected("the end of the expression")),
    }
}

/// One type and nothing else: `ROW<a INT NOT NULL>`.
pub fn parse_data_type(text: &str) -> SqlResult<mainstem_core::DataType> {
    let mut parser = Parser { tokens: tokenize(text)?, at: 0, depth: 0 };
    let data_type = parser.data_type()?;
    match parser.peek().kind {
        TokenKind::End => Ok(data_type),
        _ => Err(parser.expected("the end of the type")),
    }
}

/// A cursor over the tokens.
struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)]
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        if self.at < self.tokens.len() - 1 {
            self.at += 1;
        }
        token
    }

    fn span(&self) -> Span {
        self.peek().span
    }

    /// From `start` to the token before the current one.
    fn span_from(&self, start: Span) -> Span {
        start.to(self.tokens[self.at.saturating_sub(1)].span)
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(&self.peek_at(ahead).kind, TokenKind::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    fn is_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(i, word)| self.is_word_at(i, word))
    }

    /// Takes all of `words` or nothing.
    fn take_words(&mut self, words: &[&str]) -> bool {
        let found = self.is_words(words);
        if found {
            self.at += words.len();
        }
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.take_words(&[word])
    }

    fn expect_word(&mut self, word: &str) -> SqlResult<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    fn is_symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek_at(ahead).kind, TokenKind::Symbol(s) if s == symbol)
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.is_symbol_at(0, symbol)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> SqlResult<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.expected(&format!("'{symbol}'"))) }
    }

    /// An error that says what stands here and what should.
    fn expected(&self, what: &str) -> SqlError {
        let found = match &self.peek().kind {
            TokenKind::Word(w) => format!("'{w}'"),
            TokenKind::Quoted(w) => format!("`{w}`"),
            TokenKind::Number(n) => format!("'{n}'"),
            TokenKind::String(_) => "a string".to_owned(),
            TokenKind::Binary(_) => "a binary literal".to_owned(),
            TokenKind::Symbol(s) => format!("'{s}'"),
            TokenKind::End => "the end of the file".to_owned(),
        };
        let error = SqlError::new(format!("expected {what}, found {found}"), self.span());
        match &self.peek().kind {
            TokenKind::Word(w) if is_reserved(w) => {
                error.with_hint(format!("to use the word as a name, write `{w}` in backticks"))
            }
            _ => error,
        }
    }

    fn skip_statement(&mut self) {
        while !self.is_symbol(";") && self.peek().kind != TokenKind::End {
            self.at += 1;
        }
    }

    /// Any word that is not reserved, or a quoted one.
    /// True if [`Self::ident`] would take the token `ahead`.
    fn is_name_at(&self, ahead: usize) -> bool {
        match &self.peek_at(ahead).kind {
            TokenKind::Word(w) => !is_reserved(w),
            TokenKind::Quoted(_) => true,
            _ => false,
        }
    }

    fn ident(&mut self) -> SqlResult<Ident> {
        match &self.peek().kind {
            TokenKind::Word(w) if is_reserved(w) => Err(self.expected("a name")),
            TokenKind::Word(_) | TokenKind::Quoted(_) => self.any_word(),
            _ => Err(self.expected("a name")),
        }
    }

    /// Any word at all: after a dot or AS, no keyword can stand.
    fn any_word(&mut self) -> SqlResult<Ident> {
        let span = self.span();
        match &self.peek().kind {
            TokenKind::Word(value) | TokenKind::Quoted(value) => {
                let value = value.clone();
                self.advance();
                Ok(Ident { value, span })
            }
            _ => Err(self.expected("a name")),
        }
    }

    fn object_name(&mut self) -> SqlResult<ObjectName> {
        let mut parts = vec![self.ident()?];
        while self.take_symbol(".") {
            parts.push(self.any_word()?);
        }
        Ok(ObjectName(parts))
    }

    /// The name of a table or view: `[[catalog.]database.]name`.
    fn table_name(&mut self) -> SqlResult<ObjectName> {
        let name = self.object_name()?;
        match name.0.len() {
            1..=3 => Ok(name),
            _ => Err(SqlError::new("a name has at most three parts", name.span())
                .with_hint("write catalog.database.table")),
        }
    }

    /// The name of a function, which belongs to the session.
    fn function_name(&mut self) -> SqlResult<ObjectName> {
        let name = self.object_name()?;
        check_qualifiers(&name.0[..name.0.len() - 1])?;
        Ok(name)
    }

    fn string(&mut self) -> SqlResult<StringLiteral> {
        let span = self.span();
        match &self.peek().kind {
            TokenKind::String(value) => {
                let value = value.clone();
                self.advance();
                Ok(StringLiteral { value, span })
            }
            _ => Err(self.expected("a string in single quotes")),
        }
    }

    fn unsigned(&mut self) -> SqlResult<u32> {
        match &self.peek().kind {
            TokenKind::Number(text) => match text.parse() {
                Ok(number) => {
                    self.advance();
                    Ok(number)
                }
                Err(_) => Err(self.expected("a whole number")),
            },
            _ => Err(self.expected("a whole number")),
        }
    }

    fn comma_separated<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.take_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn parenthesized<T>(
        &mut self,
        item: impl FnMut(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<Vec<T>> {
        self.expect_symbol("(")?;
        let items = self.comma_separated(item)?;
        self.expect_symbol(")")?;
        Ok(items)
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        if self.depth >= DEPTH_MAX {
            return Err(SqlError::new(
                format!("the statement nests deeper than {DEPTH_MAX} levels"),
                self.span(),
            ));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }
}

fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| r.eq_ignore_ascii_case(word))
}

/// `catalog.database` or `database` in front of a name.
fn check_qualifiers(qualifiers: &[Ident]) -> SqlResult<()> {
    let known = [("database", DEFAULT_DATABASE), ("catalog", DEFAULT_CATALOG)];
    for (i, part) in qualifiers.iter().rev().enumerate() {
        let (what, wanted) = known.get(i).copied().unwrap_or(("qualifier", ""));
        if part.value != wanted {
            return Err(SqlError::new(format!("unknown {what} '{}'", part.value), part.span)
                .with_hint(
                    "functions belong to the session: leave out what stands before the name",
                ));
        }
    }
    Ok(())
}
