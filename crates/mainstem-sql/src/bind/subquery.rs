//! Sub-queries in expressions: EXISTS, IN, comparisons with SOME and ALL, and those that stand for a value.

use super::expr::ExprBinder;
use crate::ast::Expr;
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};

impl ExprBinder<'_> {
    /// A sub-query that the clause has bound.
    pub(super) fn subquery(&self, expr: &Expr) -> SqlResult<Bound> {
        Err(SqlError::unsupported("a sub-query in an expression", expr.span))
    }
}
