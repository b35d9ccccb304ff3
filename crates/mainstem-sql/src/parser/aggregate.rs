//! What only aggregate calls have in their parentheses: IGNORE NULLS, and the clauses of the JSON aggregates.
//! Invariant: a JSON aggregate becomes a call whose last argument is the constructor of one member or one element, with
//! its ON NULL clause; the binder needs no grammar of its own for them.

use super::Parser;
use crate::ast::{Call, Expr, ExprKind};
use crate::error::SqlResult;

impl Parser {
    /// Behind the opening parenthesis of a call; leaves the closing one.
    pub(super) fn call_args(&mut self, call: &mut Call) -> SqlResult<()> {
        if self.take_symbol("*") {
            call.star = true;
            return Ok(());
        }
        if self.is_symbol(")") {
            return Ok(());
        }
        call.distinct = self.take_word("DISTINCT");
        if !call.distinct {
            self.take_word("ALL");
        }
        let name = call.name.last().value.to_ascii_uppercase();
        call.args = match name.as_str() {
            "JSON_OBJECTAGG" => self.json_object_args()?,
            "JSON_ARRAYAGG" => self.json_array_args()?,
            _ => self.comma_separated(Self::expr)?,
        };
        if self.take_words(&["IGNORE", "NULLS"]) {
            call.ignore_nulls = Some(true);
        } else if self.take_words(&["RESPECT", "NULLS"]) {
            call.ignore_nulls = Some(false);
        }
        Ok(())
    }

    /// `[KEY] key VALUE value [{NULL | ABSENT} ON NULL]`: the key, and JSON_OBJECT of the two.
    fn json_object_args(&mut self) -> SqlResult<Vec<Expr>> {
        let span = self.span();
        self.take_word("KEY");
        let key = self.expr()?;
        if !self.take_word("VALUE") && !self.take_symbol(":") {
            self.expect_symbol(",")?;
        }
        let members = vec![(key.clone(), self.expr()?)];
        let absent_on_null = self.json_on_null(false)?;
        let kind = ExprKind::JsonObject { members, absent_on_null };
        Ok(vec![key, Expr { kind: Box::new(kind), span }])
    }

    /// `value [{NULL | ABSENT} ON NULL]`: JSON_ARRAY of the value.
    fn json_array_args(&mut self) -> SqlResult<Vec<Expr>> {
        let span = self.span();
        let items = vec![self.expr()?];
        let absent_on_null = self.json_on_null(true)?;
        let kind = ExprKind::JsonArray { items, absent_on_null };
        Ok(vec![Expr { kind: Box::new(kind), span }])
    }
}
