//! `MATCH_RECOGNIZE (...)` behind a table.
//! Invariant: what SQL allows in a pattern and Flink refuses is refused here by its name.

use super::Parser;
use crate::ast::{AfterMatch, MatchRecognize, PatternItem, PatternQuantifier, TableRef};
use crate::error::{SqlError, SqlResult};
use crate::lexer::TokenKind;
use crate::source::Span;

/// What Flink itself refuses.
fn refused(what: &str, hint: &str, span: Span) -> SqlError {
    SqlError::new(format!("{what} is not supported in MATCH_RECOGNIZE"), span).with_hint(hint)
}

impl Parser {
    /// `input`, or the MATCH_RECOGNIZE over it if one stands here.
    pub(super) fn matched(&mut self, input: TableRef) -> SqlResult<TableRef> {
        if !self.is_word("MATCH_RECOGNIZE") {
            return Ok(input);
        }
        let recognize = Box::new(self.match_recognize(input)?);
        Ok(TableRef::Match { recognize, alias: self.alias()? })
    }

    fn match_recognize(&mut self, input: TableRef) -> SqlResult<MatchRecognize> {
        let start = self.span();
        self.expect_word("MATCH_RECOGNIZE")?;
        self.expect_symbol("(")?;
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
        self.expect_word("MEASURES")?;
        let measures = self.comma_separated(|parser| {
            let expr = parser.expr()?;
            parser.expect_word("AS")?;
            Ok((expr, parser.any_word()?))
        })?;
        self.rows_per_match()?;
        let after = self.after_match()?;
        self.expect_word("PATTERN")?;
        self.expect_symbol("(")?;
        let pattern = self.pattern()?;
        self.expect_symbol(")")?;
        let within = if self.take_word("WITHIN") { Some(self.expr()?) } else { None };
        if self.is_word("SUBSET") {
            let hint = "Flink reads SUBSET and finds no row in it: name the variables one by one";
            return Err(refused("SUBSET", hint, self.span()));
        }
        self.expect_word("DEFINE")?;
        let define = self.comma_separated(|parser| {
            let name = parser.ident()?;
            parser.expect_word("AS")?;
            Ok((name, parser.expr()?))
        })?;
        self.expect_symbol(")")?;
        let span = self.span_from(start);
        Ok(MatchRecognize {
            input,
            partition_by,
            order_by,
            measures,
            after,
            pattern,
            within,
            define,
            span,
        })
    }

    fn rows_per_match(&mut self) -> SqlResult<()> {
        if self.is_words(&["ALL", "ROWS", "PER", "MATCH"]) {
            let hint = "Flink gives one row a match: write ONE ROW PER MATCH";
            return Err(refused("ALL ROWS PER MATCH", hint, self.span()));
        }
        self.take_words(&["ONE", "ROW", "PER", "MATCH"]);
        Ok(())
    }

    fn after_match(&mut self) -> SqlResult<Option<AfterMatch>> {
        if !self.take_words(&["AFTER", "MATCH"]) {
            return Ok(None);
        }
        self.expect_word("SKIP")?;
        if self.take_words(&["PAST", "LAST", "ROW"]) {
            return Ok(Some(AfterMatch::PastLastRow));
        }
        if self.take_words(&["TO", "NEXT", "ROW"]) {
            return Ok(Some(AfterMatch::ToNextRow));
        }
        if !self.take_word("TO") {
            return Err(self.expected("PAST LAST ROW, TO NEXT ROW, TO FIRST or TO LAST"));
        }
        let named = self.is_name_at(1);
        if named && self.take_word("FIRST") {
            return Ok(Some(AfterMatch::ToFirst(self.ident()?)));
        }
        if named {
            self.take_word("LAST");
        }
        Ok(Some(AfterMatch::ToLast(self.ident()?)))
    }

    /// Variables one after the other, up to the closing parenthesis.
    fn pattern(&mut self) -> SqlResult<Vec<PatternItem>> {
        let mut items = Vec::new();
        loop {
            let span = self.span();
            if self.is_symbol("^") || self.is_word("$") {
                let hint = "Flink reads anchors and ignores them: leave it out";
                return Err(refused("an anchor (^ or $)", hint, span));
            }
            if self.is_symbol("|") {
                let hint =
                    "Flink has no alternation: use one MATCH_RECOGNIZE a branch and UNION ALL";
                return Err(refused("alternation (|)", hint, span));
            }
            if self.is_symbol("{") && self.is_symbol_at(1, "-") {
                let hint = "Flink has no exclusion; a measure can leave the variable out";
                return Err(refused("exclusion ({- -})", hint, span));
            }
            if self.is_word("PERMUTE") && self.is_symbol_at(1, "(") {
                let hint = "Flink has no PERMUTE: use one MATCH_RECOGNIZE an order and UNION ALL";
                return Err(refused("PERMUTE", hint, span));
            }
            if self.is_symbol(")") && !items.is_empty() {
                return Ok(items);
            }
            items.extend(self.pattern_factor()?);
        }
    }

    /// A variable, or several in parentheses.
    fn pattern_factor(&mut self) -> SqlResult<Vec<PatternItem>> {
        let start = self.span();
        if !self.take_symbol("(") {
            let name = self.ident()?;
            let quantifier = self.pattern_quantifier()?;
            return Ok(vec![PatternItem { name, quantifier }]);
        }
        let mut items = self.nested(Self::pattern)?;
        self.expect_symbol(")")?;
        if let Some(quantifier) = self.pattern_quantifier()? {
            match items.as_mut_slice() {
                [only] if only.quantifier.is_none() => only.quantifier = Some(quantifier),
                _ => {
                    let hint = "Flink repeats single variables only";
                    return Err(refused("a group with a quantifier", hint, self.span_from(start)));
                }
            }
        }
        Ok(items)
    }

    fn pattern_quantifier(&mut self) -> SqlResult<Option<PatternQuantifier>> {
        let start = self.span();
        let (min, max) = if self.take_symbol("*") {
            (0, None)
        } else if self.take_symbol("+") {
            (1, None)
        } else if self.take_symbol("?") {
            (0, Some(1))
        } else if self.is_symbol("{") && !self.is_symbol_at(1, "-") {
            self.advance();
            if self.is_symbol(",") {
                let hint = "Flink has no quantifier without a least number: write {0,m}";
                return Err(refused("{,m}", hint, self.span_from(start)));
            }
            let min = self.unsigned()?;
            let max = if !self.take_symbol(",") {
                Some(min)
            } else if self.is_symbol("}") {
                None
            } else {
                Some(self.unsigned()?)
            };
            self.expect_symbol("}")?;
            (min, max)
        } else {
            return Ok(None);
        };
        let reluctant = self.take_symbol("?");
        Ok(Some(PatternQuantifier { min, max, reluctant, span: self.span_from(start) }))
    }

    /// True at the word FINAL or RUNNING if it is a prefix: before FIRST, LAST or an aggregate. It becomes a call.
    pub(super) fn match_prefix(&self) -> bool {
        matches!(self.peek_at(1).kind, TokenKind::Word(_)) && self.is_symbol_at(2, "(")
    }
}
