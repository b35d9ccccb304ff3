//! Constructors of ARRAY, MAP and ROW, and element access.

use super::expr::ExprBinder;
use crate::ast::{Expr, ExprKind};
use crate::bound::Bound;
use crate::error::SqlResult;
use crate::functions::Argument;
use crate::functions::collection::{construct, element};
use crate::source::Span;

impl ExprBinder<'_> {
    pub(super) fn constructor(&self, expr: &Expr) -> SqlResult<Bound> {
        let (name, items) = match expr.kind.as_ref() {
            ExprKind::Array(items) => ("ARRAY", items),
            ExprKind::Map(items) => ("MAP", items),
            ExprKind::Row(items) => ("ROW", items),
            _ => return self.json_form(expr),
        };
        let args = items.iter().map(|i| self.bind(i)).collect::<SqlResult<Vec<_>>>()?;
        let arguments: Vec<Argument> = args.iter().map(Bound::argument).collect();
        let binding = match name {
            "ARRAY" => construct::array(&arguments),
            "MAP" => construct::map(&arguments),
            _ => construct::row(&arguments),
        };
        self.settled(name, binding, args, expr.span)
    }

    pub(super) fn element(&self, base: &Expr, index: &Expr, span: Span) -> SqlResult<Bound> {
        let args = vec![self.bind(base)?, self.bind(index)?];
        let binding = element::bind(&args[0].argument(), &args[1].argument());
        self.settled("ITEM", binding, args, span)
    }
}
