//! The elements of GROUP BY: expressions, GROUPING SETS, ROLLUP, CUBE, one in the other.
//! Invariant: an element is the list of its grouping sets; an expression is one set of one.

use super::Parser;
use crate::ast::{Expr, ExprKind, GroupItem, GroupingSet};
use crate::error::{SqlError, SqlResult};

/// CUBE of more makes too many sets.
const CUBE_MAX: usize = 12;

impl Parser {
    pub(super) fn group_items(&mut self) -> SqlResult<Vec<GroupItem>> {
        self.comma_separated(|parser| {
            let start = parser.span();
            let mut sets = parser.nested(Self::grouping_element)?;
            if let [set] = sets.as_mut_slice()
                && set.exprs.len() == 1
            {
                return Ok(GroupItem::Expr(set.exprs.remove(0)));
            }
            Ok(GroupItem::GroupingSets(sets, parser.span_from(start)))
        })
    }

    fn grouping_element(&mut self) -> SqlResult<Vec<GroupingSet>> {
        let start = self.span();
        if self.take_words(&["GROUPING", "SETS"]) {
            let elements = self.parenthesized(|parser| parser.nested(Self::grouping_element))?;
            return Ok(elements.concat());
        }
        for word in ["ROLLUP", "CUBE"] {
            if !(self.is_word(word) && self.is_symbol_at(1, "(")) {
                continue;
            }
            self.advance();
            let items = self.parenthesized(Self::expr_set)?;
            let made_by = Some(self.span_from(start));
            if word == "ROLLUP" {
                let prefix = |n: usize| GroupingSet { exprs: items[..n].concat(), made_by };
                return Ok((0..=items.len()).rev().map(prefix).collect());
            }
            if items.len() > CUBE_MAX {
                let message = format!("CUBE takes at most {CUBE_MAX} elements");
                return Err(SqlError::new(message, self.span_from(start)));
            }
            let subset = |mask: u32| {
                let chosen = |(i, set): (usize, &Vec<Expr>)| {
                    (mask >> (items.len() - 1 - i) & 1 == 1).then(|| set.clone())
                };
                let exprs = items.iter().enumerate().filter_map(chosen).flatten().collect();
                GroupingSet { exprs, made_by }
            };
            return Ok((0..1u32 << items.len()).rev().map(subset).collect());
        }
        Ok(vec![GroupingSet { exprs: self.expr_set()?, made_by: None }])
    }

    /// `(a, b)`, `()` or `a`.
    fn expr_set(&mut self) -> SqlResult<Vec<Expr>> {
        if self.is_symbol("(") && self.is_symbol_at(1, ")") {
            self.at += 2;
            return Ok(Vec::new());
        }
        let is_list = self.is_symbol("(");
        let expr = self.expr()?;
        match *expr.kind {
            ExprKind::Row(items) if is_list => Ok(items),
            kind => Ok(vec![Expr { kind: Box::new(kind), span: expr.span }]),
        }
    }
}
