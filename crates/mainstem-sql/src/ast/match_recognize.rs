//! The syntax of MATCH_RECOGNIZE.

use super::{Expr, Ident, OrderItem, TableRef};
use crate::source::Span;

/// `table MATCH_RECOGNIZE (...)`.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the clauses")]
pub struct MatchRecognize {
    pub input: TableRef,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<OrderItem>,
    /// What is told of a match, and under which name.
    pub measures: Vec<(Expr, Ident)>,
    /// AFTER MATCH; `None` if it is left out.
    pub after: Option<AfterMatch>,
    pub pattern: Vec<PatternItem>,
    pub within: Option<Expr>,
    pub define: Vec<(Ident, Expr)>,
    /// From the word MATCH_RECOGNIZE to the closing parenthesis.
    pub span: Span,
}

/// A variable of a pattern and how often it is repeated.
#[derive(Debug, Clone)]
pub struct PatternItem {
    /// The variable.
    pub name: Ident,
    /// `None`: once.
    pub quantifier: Option<PatternQuantifier>,
}

/// `*`, `+`, `?`, `{n}`, `{n,}`, `{n,m}`, each with or without `?` behind it.
#[derive(Debug, Clone, Copy)]
pub struct PatternQuantifier {
    /// At least.
    pub min: u32,
    /// At most; `None`: any number.
    pub max: Option<u32>,
    /// Written with `?` behind it.
    pub reluctant: bool,
    /// Where.
    pub span: Span,
}

/// Where to go on after a match.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named by the keywords")]
pub enum AfterMatch {
    PastLastRow,
    ToNextRow,
    ToFirst(Ident),
    ToLast(Ident),
}
