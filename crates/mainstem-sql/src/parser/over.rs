//! The OVER clause of a call and the WINDOW clause of a query.
//! Invariant: a frame always has both ends; the short form ends at the current row.

use super::Parser;
use crate::ast::{Call, ExprKind, Frame, FrameBound, Ident, OverWindow, WindowDef};
use crate::error::SqlResult;

impl Parser {
    /// `[IGNORE | RESPECT NULLS] OVER ...` behind a call, if it stands here.
    pub(super) fn over(&mut self, call: Call) -> SqlResult<ExprKind> {
        let ignore_nulls = if self.take_words(&["IGNORE", "NULLS"]) {
            Some(true)
        } else if self.take_words(&["RESPECT", "NULLS"]) {
            Some(false)
        } else {
            None
        };
        if ignore_nulls.is_none() && !self.at_over() {
            return Ok(ExprKind::Function(call));
        }
        self.expect_word("OVER")?;
        let window = if self.is_symbol("(") {
            OverWindow::Inline(self.window_def()?)
        } else {
            OverWindow::Named(self.ident()?)
        };
        Ok(ExprKind::Over { call, ignore_nulls, window })
    }

    /// OVER and what can follow it; `over` alone may be an alias.
    fn at_over(&self) -> bool {
        self.is_word("OVER") && (self.is_symbol_at(1, "(") || self.is_name_at(1))
    }

    /// `WINDOW name AS (...), ...`, if it stands here.
    pub(super) fn window_clause(&mut self) -> SqlResult<Vec<(Ident, WindowDef)>> {
        if !self.take_word("WINDOW") {
            return Ok(Vec::new());
        }
        self.comma_separated(|parser| {
            let name = parser.ident()?;
            parser.expect_word("AS")?;
            Ok((name, parser.window_def()?))
        })
    }

    fn window_def(&mut self) -> SqlResult<WindowDef> {
        let start = self.span();
        self.expect_symbol("(")?;
        let starts_clause = ["PARTITION", "ORDER", "ROWS", "RANGE"].iter().any(|w| self.is_word(w));
        let base = if starts_clause || self.is_symbol(")") { None } else { Some(self.ident()?) };
        let partition_by = if self.take_words(&["PARTITION", "BY"]) {
            self.comma_separated(Self::expr)?
        } else {
            Vec::new()
        };
        let order_by = if self.take_words(&["ORDER", "BY"]) {
            self.comma_separated(Self::order_item)?
        } else {
            Vec::new()
        };
        let frame =
            if self.is_word("ROWS") || self.is_word("RANGE") { Some(self.frame()?) } else { None };
        self.expect_symbol(")")?;
        Ok(WindowDef { base, partition_by, order_by, frame, span: self.span_from(start) })
    }

    fn frame(&mut self) -> SqlResult<Frame> {
        let span = self.span();
        let rows = self.is_word("ROWS");
        self.advance();
        let (start, end) = if self.take_word("BETWEEN") {
            let start = self.frame_bound()?;
            self.expect_word("AND")?;
            (start, self.frame_bound()?)
        } else {
            (self.frame_bound()?, FrameBound::CurrentRow)
        };
        Ok(Frame { rows, start, end, span: self.span_from(span) })
    }

    fn frame_bound(&mut self) -> SqlResult<FrameBound> {
        if self.take_words(&["UNBOUNDED", "PRECEDING"]) {
            return Ok(FrameBound::UnboundedPreceding);
        }
        if self.take_words(&["UNBOUNDED", "FOLLOWING"]) {
            return Ok(FrameBound::UnboundedFollowing);
        }
        if self.take_words(&["CURRENT", "ROW"]) {
            return Ok(FrameBound::CurrentRow);
        }
        let distance = self.concat()?;
        if self.take_word("PRECEDING") {
            Ok(FrameBound::Preceding(distance))
        } else {
            self.expect_word("FOLLOWING")?;
            Ok(FrameBound::Following(distance))
        }
    }
}
