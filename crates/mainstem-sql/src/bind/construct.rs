//! Constructors of ARRAY, MAP and ROW, element access.

use super::expr::ExprBinder;
use crate::ast::{Expr, ExprKind};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::source::Span;

impl ExprBinder<'_> {
    pub(super) fn constructor(&self, expr: &Expr) -> SqlResult<Bound> {
        let what = match expr.kind.as_ref() {
            ExprKind::Array(_) => "ARRAY[...]",
            ExprKind::Map(_) => "MAP[...]",
            ExprKind::Row(_) => "ROW(...)",
            _ => return self.json_form(expr),
        };
        Err(SqlError::unsupported(what, expr.span))
    }

    pub(super) fn element(&self, _base: &Expr, _index: &Expr, span: Span) -> SqlResult<Bound> {
        Err(SqlError::unsupported("element access", span))
    }
}
