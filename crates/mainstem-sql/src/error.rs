//! What is wrong with a statement: one line, where it stands, and what to do.
//! Invariant: every error that the user can cause has a span; `located` turns it into file, line and column once, at
//! the edge where the text is known.

use std::fmt;

use mainstem_core::{Error, ErrorKind};

use crate::source::{Position, SourceText, Span};

/// The result type of this crate's front.
pub type SqlResult<T> = Result<T, SqlError>;

/// A refused statement.
#[derive(Debug, Clone, thiserror::Error)]
pub struct SqlError {
    message: String,
    span: Option<Span>,
    hint: Option<String>,
    place: Option<Box<(String, Position, usize)>>,
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl SqlError {
    /// An error at `span`.
    pub fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), span: Some(span), hint: None, place: None }
    }

    /// Something Flink runs and this version does not.
    pub fn unsupported(what: impl fmt::Display, span: Span) -> Self {
        Self::new(format!("{what} is not supported here"), span)
            .with_hint("the statement is valid Flink SQL: a Flink cluster runs it")
    }

    /// What the user can do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An error of a lower layer, at the expression that caused it.
    pub fn from_core(error: &Error, span: Span) -> Self {
        let mut message = error.to_string();
        if let Some(detail) = error.detail() {
            message = format!("{message} ({detail})");
        }
        Self { message, span: Some(span), hint: error.hint().map(str::to_owned), place: None }
    }

    /// Keeps file, line and column, so that the error can be shown without the text at hand.
    #[must_use]
    pub fn located(mut self, source: &SourceText) -> Self {
        if let (Some(span), None) = (self.span, &self.place) {
            let start = source.position(span.start);
            let width = source
                .text
                .get(span.start..span.end)
                .map_or(1, |t| t.lines().next().map_or(1, |line| line.chars().count()).max(1));
            self.place = Some(Box::new((source.name.clone(), start, width)));
        }
        self
    }

    /// Puts the error at `span` if it has no place of its own.
    #[must_use]
    pub fn or_at(mut self, span: Span) -> Self {
        if self.span.is_none_or(|s| s == Span::default()) {
            self.span = Some(span);
        }
        self
    }

    /// The span in the filled-in text.
    pub fn span(&self) -> Option<Span> {
        self.span
    }

    /// The hint.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Line and column, once located.
    pub fn position(&self) -> Option<&Position> {
        self.place.as_ref().map(|p| &p.1)
    }

    /// The message with file, line, column, the line itself, a caret and the hint.
    pub fn render(&self) -> String {
        let mut out = format!("error: {}", self.message);
        if let Some(place) = &self.place {
            let (file, position, width) = place.as_ref();
            let number = position.line.to_string();
            let gutter = " ".repeat(number.len());
            let line = position.line_text.replace('\t', " ");
            let room = line.chars().count().saturating_sub(position.column - 1).max(1);
            out.push_str(&format!(
                "\n{gutter}--> {file}:{}:{}\n{gutter} |\n{number} | {line}\n{gutter} | {}{}",
                position.line,
                position.column,
                " ".repeat(position.column - 1),
                "^".repeat((*width).min(room)),
            ));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("\nhint: {hint}"));
        }
        out
    }
}

impl From<SqlError> for Error {
    fn from(error: SqlError) -> Self {
        Error::new(ErrorKind::User, error.message.clone()).with_source(error)
    }
}
