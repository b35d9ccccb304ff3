//! Expressions, by precedence climbing: OR, AND, NOT, comparisons, `||`, `+ -`, `* / %`, unary, primary.

use super::{Parser, is_reserved};
use crate::ast::{Call, Expr, ExprKind, IsTest, JsonBehavior, ObjectName};
use crate::error::{SqlError, SqlResult};
use crate::lexer::TokenKind;
use crate::operators::BinaryOp;
use crate::source::Span;

const UNITS: &[&str] =
    &["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND"];

/// The unit that a word names, in singular or plural.
fn unit_of(word: &str) -> Option<&'static str> {
    let upper = word.to_ascii_uppercase();
    let is = |unit: &&&str| upper == ***unit || upper.strip_suffix('S') == Some(**unit);
    UNITS.iter().find(is).copied()
}

fn make(kind: ExprKind, span: Span) -> Expr {
    Expr { kind: Box::new(kind), span }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    make(ExprKind::Binary { op, left, right }, span)
}

impl Parser {
    pub(super) fn expr(&mut self) -> SqlResult<Expr> {
        self.nested(Self::or)
    }

    fn or(&mut self) -> SqlResult<Expr> {
        let mut left = self.and()?;
        while self.take_word("OR") {
            left = binary(BinaryOp::Or, left, self.and()?);
        }
        Ok(left)
    }

    fn and(&mut self) -> SqlResult<Expr> {
        let mut left = self.not()?;
        while self.take_word("AND") {
            left = binary(BinaryOp::And, left, self.not()?);
        }
        Ok(left)
    }

    fn not(&mut self) -> SqlResult<Expr> {
        let start = self.span();
        if self.take_word("NOT") {
            let inner = self.nested(Self::not)?;
            return Ok(make(ExprKind::Not(inner), self.span_from(start)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> SqlResult<Expr> {
        let mut left = self.concat()?;
        loop {
            let op = match self.peek().kind {
                TokenKind::Symbol("=") => Some(BinaryOp::Eq),
                TokenKind::Symbol("<>" | "!=") => Some(BinaryOp::NotEq),
                TokenKind::Symbol("<") => Some(BinaryOp::Lt),
                TokenKind::Symbol("<=") => Some(BinaryOp::LtEq),
                TokenKind::Symbol(">") => Some(BinaryOp::Gt),
                TokenKind::Symbol(">=") => Some(BinaryOp::GtEq),
                _ => None,
            };
            if let Some(op) = op {
                self.advance();
                left = match self.quantifier() {
                    Some(all) => self.quantified(left, op, all)?,
                    None => binary(op, left, self.concat()?),
                };
                continue;
            }
            let before = self.at;
            left = self.predicate(left)?;
            if self.at == before {
                return Ok(left);
            }
        }
    }

    /// True for ALL, false for SOME and ANY, if a sub-query is behind it.
    fn quantifier(&self) -> Option<bool> {
        let query = ["SELECT", "WITH", "VALUES"].iter().any(|word| self.is_word_at(2, word));
        let word = ["ALL", "SOME", "ANY"].into_iter().find(|word| self.is_word(word))?;
        (self.is_symbol_at(1, "(") && query).then_some(word == "ALL")
    }

    fn quantified(&mut self, left: Expr, op: BinaryOp, all: bool) -> SqlResult<Expr> {
        let start = left.span;
        self.at += 2;
        let query = self.query()?;
        self.expect_symbol(")")?;
        Ok(make(ExprKind::Quantified { left, op, all, query }, self.span_from(start)))
    }

    /// IS, BETWEEN, IN, LIKE, SIMILAR TO, OVERLAPS behind `left`, if one stands here.
    fn predicate(&mut self, left: Expr) -> SqlResult<Expr> {
        let start = left.span;
        if self.take_word("IS") {
            return self.is_test(left);
        }
        let negated = self.is_word("NOT")
            && ["BETWEEN", "IN", "LIKE", "SIMILAR"].iter().any(|w| self.is_word_at(1, w));
        if negated {
            self.advance();
        }
        let kind = if self.take_word("BETWEEN") {
            let symmetric = self.take_word("SYMMETRIC");
            self.take_word("ASYMMETRIC");
            let low = self.concat()?;
            self.expect_word("AND")?;
            ExprKind::Between { expr: left, low, high: self.concat()?, negated, symmetric }
        } else if self.take_word("IN") {
            self.expect_symbol("(")?;
            let kind = if self.is_word("SELECT") || self.is_word("WITH") || self.is_word("VALUES") {
                ExprKind::InSubquery { expr: left, query: self.query()?, negated }
            } else {
                ExprKind::InList { expr: left, list: self.comma_separated(Self::expr)?, negated }
            };
            self.expect_symbol(")")?;
            kind
        } else if self.is_word("LIKE") || self.is_word("SIMILAR") {
            let similar = self.take_word("SIMILAR");
            if similar {
                self.expect_word("TO")?;
            } else {
                self.expect_word("LIKE")?;
            }
            let pattern = self.concat()?;
            let escape = if self.take_word("ESCAPE") { Some(self.concat()?) } else { None };
            ExprKind::Like { expr: left, pattern, escape, negated, similar }
        } else if self.is_word("OVERLAPS") {
            return self.overlaps(left);
        } else {
            return Ok(left);
        };
        Ok(make(kind, self.span_from(start)))
    }

    fn overlaps(&mut self, left: Expr) -> SqlResult<Expr> {
        let start = left.span;
        self.advance();
        let right = self.concat()?;
        let pair = |expr: Expr| match *expr.kind {
            ExprKind::Row(items) => <[Expr; 2]>::try_from(items).ok().map(|[a, b]| (a, b)),
            _ => None,
        };
        match (pair(left), pair(right)) {
            (Some(left), Some(right)) => {
                Ok(make(ExprKind::Overlaps { left, right }, self.span_from(start)))
            }
            _ => Err(SqlError::new(
                "OVERLAPS compares two pairs: (start, end) OVERLAPS (start, end)",
                self.span_from(start),
            )),
        }
    }

    fn is_test(&mut self, left: Expr) -> SqlResult<Expr> {
        let start = left.span;
        let negated = self.take_word("NOT");
        if self.take_words(&["DISTINCT", "FROM"]) {
            let op = if negated { BinaryOp::IsNotDistinctFrom } else { BinaryOp::IsDistinctFrom };
            return Ok(binary(op, left, self.concat()?));
        }
        let test = if self.take_word("NULL") {
            IsTest::Null
        } else if self.take_word("TRUE") {
            IsTest::True
        } else if self.take_word("FALSE") {
            IsTest::False
        } else if self.take_word("UNKNOWN") {
            IsTest::Unknown
        } else if self.take_word("JSON") {
            if self.take_word("OBJECT") {
                IsTest::JsonObject
            } else if self.take_word("ARRAY") {
                IsTest::JsonArray
            } else if self.take_word("SCALAR") {
                IsTest::JsonScalar
            } else {
                self.take_word("VALUE");
                IsTest::JsonValue
            }
        } else {
            return Err(self.expected("NULL, TRUE, FALSE, UNKNOWN, JSON or DISTINCT FROM"));
        };
        Ok(make(ExprKind::Is { expr: left, test, negated }, self.span_from(start)))
    }

    pub(super) fn concat(&mut self) -> SqlResult<Expr> {
        let mut left = self.additive()?;
        while self.take_symbol("||") {
            left = binary(BinaryOp::Concat, left, self.additive()?);
        }
        Ok(left)
    }

    fn additive(&mut self) -> SqlResult<Expr> {
        let mut left = self.multiplicative()?;
        loop {
            let op = if self.take_symbol("+") {
                BinaryOp::Add
            } else if self.take_symbol("-") {
                BinaryOp::Subtract
            } else {
                return Ok(left);
            };
            left = binary(op, left, self.multiplicative()?);
        }
    }

    fn multiplicative(&mut self) -> SqlResult<Expr> {
        let mut left = self.unary()?;
        loop {
            let op = if self.take_symbol("*") {
                BinaryOp::Multiply
            } else if self.take_symbol("/") {
                BinaryOp::Divide
            } else if self.take_symbol("%") {
                BinaryOp::Modulo
            } else {
                return Ok(left);
            };
            left = binary(op, left, self.unary()?);
        }
    }

    fn unary(&mut self) -> SqlResult<Expr> {
        let start = self.span();
        if self.take_symbol("-") {
            let inner = self.nested(Self::unary)?;
            return Ok(make(ExprKind::Negate(inner), self.span_from(start)));
        }
        if self.take_symbol("+") {
            let inner = self.nested(Self::unary)?;
            return Ok(make(ExprKind::Plus(inner), self.span_from(start)));
        }
        self.postfix()
    }

    fn postfix(&mut self) -> SqlResult<Expr> {
        let mut base = self.primary()?;
        loop {
            let start = base.span;
            if self.take_symbol("[") {
                let index = self.expr()?;
                self.expect_symbol("]")?;
                base = make(ExprKind::Element { base, index }, self.span_from(start));
            } else if self.is_symbol(".")
                && matches!(self.peek_at(1).kind, TokenKind::Word(_) | TokenKind::Quoted(_))
            {
                self.advance();
                let name = self.any_word()?;
                base = make(ExprKind::Field { base, name }, self.span_from(start));
            } else {
                return Ok(base);
            }
        }
    }

    fn primary(&mut self) -> SqlResult<Expr> {
        let start = self.span();
        let kind = match self.peek().kind.clone() {
            TokenKind::Number(text) => {
                self.advance();
                ExprKind::Number(text)
            }
            TokenKind::String(text) => {
                self.advance();
                ExprKind::String(text)
            }
            TokenKind::Binary(bytes) => {
                self.advance();
                ExprKind::Bytes(bytes)
            }
            TokenKind::Symbol("(") => return self.in_parentheses(),
            TokenKind::Word(word) => match self.keyword_primary(&word.to_ascii_uppercase())? {
                Some(kind) => kind,
                None if is_reserved(&word) && !self.is_symbol_at(1, "(") => {
                    return Err(self.expected("an expression"));
                }
                None => self.name_or_call()?,
            },
            TokenKind::Quoted(_) => self.name_or_call()?,
            _ => return Err(self.expected("an expression")),
        };
        Ok(make(kind, self.span_from(start)))
    }

    fn in_parentheses(&mut self) -> SqlResult<Expr> {
        let start = self.span();
        self.expect_symbol("(")?;
        if self.is_word("SELECT") || self.is_word("WITH") || self.is_word("VALUES") {
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(make(ExprKind::Subquery(query), self.span_from(start)));
        }
        let mut items = self.comma_separated(Self::expr)?;
        self.expect_symbol(")")?;
        if items.len() == 1 {
            let only = items.remove(0);
            if let TokenKind::Word(word) = &self.peek().kind
                && unit_of(word).is_some()
                && let ExprKind::Binary { op: BinaryOp::Subtract, .. } = *only.kind
            {
                return self.difference(only, start);
            }
            return Ok(Expr { kind: only.kind, span: self.span_from(start) });
        }
        Ok(make(ExprKind::Row(items), self.span_from(start)))
    }

    /// The unit behind `(a - b)`.
    fn difference(&mut self, minus: Expr, start: Span) -> SqlResult<Expr> {
        let (unit, _) = self.interval_unit()?;
        if self.take_word("TO") {
            self.interval_unit()?;
        }
        match *minus.kind {
            ExprKind::Binary { left, right, .. } => {
                Ok(make(ExprKind::Difference { left, right, unit }, self.span_from(start)))
            }
            _ => Err(SqlError::new("expected a difference of two times", minus.span)),
        }
    }

    /// Forms that start with a keyword; `None` if `word` starts a name or an ordinary call.
    fn keyword_primary(&mut self, word: &str) -> SqlResult<Option<ExprKind>> {
        let called = self.is_symbol_at(1, "(");
        let string_next = matches!(self.peek_at(1).kind, TokenKind::String(_));
        Ok(Some(match word {
            "NULL" | "TRUE" | "FALSE" => {
                self.advance();
                match word {
                    "NULL" => ExprKind::Null,
                    _ => ExprKind::Boolean(word == "TRUE"),
                }
            }
            "DATE" | "TIME" | "TIMESTAMP" if string_next => {
                self.advance();
                let kind = match word {
                    "DATE" => "DATE",
                    "TIME" => "TIME",
                    _ => "TIMESTAMP",
                };
                ExprKind::Temporal { kind, text: self.string()?.value }
            }
            "INTERVAL" if string_next || self.is_symbol_at(1, "-") || self.is_symbol_at(1, "+") => {
                self.interval()?
            }
            "CASE" => self.case()?,
            "EXISTS" if called => {
                self.at += 2;
                let query = self.query()?;
                self.expect_symbol(")")?;
                ExprKind::Exists(query)
            }
            "CAST" | "TRY_CAST" if called => {
                self.at += 2;
                let expr = self.expr()?;
                self.expect_word("AS")?;
                let unit = self.single_unit();
                let data_type = self.data_type()?;
                self.expect_symbol(")")?;
                ExprKind::Cast { expr, data_type, unit, try_cast: word == "TRY_CAST" }
            }
            "ARRAY" | "MAP" if self.is_symbol_at(1, "[") => {
                self.at += 2;
                let items = if self.is_symbol("]") {
                    Vec::new()
                } else {
                    self.comma_separated(Self::expr)?
                };
                self.expect_symbol("]")?;
                if word == "ARRAY" { ExprKind::Array(items) } else { ExprKind::Map(items) }
            }
            "FINAL" | "RUNNING" if self.match_prefix() => {
                self.advance();
                let inner = self.primary()?;
                self.call_of(word, vec![inner])
            }
            "ROW" if called => {
                self.advance();
                ExprKind::Row(self.parenthesized(Self::expr)?)
            }
            _ if called => return self.special_call(word),
            _ => return Ok(None),
        }))
    }

    /// Calls whose arguments hold keywords.
    fn special_call(&mut self, word: &str) -> SqlResult<Option<ExprKind>> {
        let before = self.at;
        self.at += 2;
        let kind = match word {
            "EXTRACT" => {
                let unit = self.any_word()?.value.to_ascii_uppercase();
                self.expect_word("FROM")?;
                ExprKind::Extract { unit, expr: self.expr()? }
            }
            "FLOOR" | "CEIL" | "CEILING" => {
                let expr = self.expr()?;
                if !self.take_word("TO") {
                    self.at = before;
                    return Ok(None);
                }
                let unit = self.any_word()?.value.to_ascii_uppercase();
                ExprKind::RoundTime { ceil: word != "FLOOR", expr, unit }
            }
            "TIMESTAMPADD" | "TIMESTAMPDIFF" => {
                let unit = self.any_word()?.value.to_ascii_uppercase();
                self.expect_symbol(",")?;
                let first = self.expr()?;
                self.expect_symbol(",")?;
                let diff = word == "TIMESTAMPDIFF";
                ExprKind::TimestampArithmetic { diff, unit, first, second: self.expr()? }
            }
            "TRIM" => self.trim()?,
            "POSITION" => {
                let needle = self.concat()?;
                self.expect_word("IN")?;
                let haystack = self.expr()?;
                self.call_of("POSITION", vec![needle, haystack])
            }
            "SUBSTRING" => {
                let mut args = vec![self.expr()?];
                if !self.take_word("FROM") {
                    self.at = before;
                    return Ok(None);
                }
                args.push(self.expr()?);
                if self.take_word("FOR") {
                    args.push(self.expr()?);
                }
                self.call_of("SUBSTRING", args)
            }
            "OVERLAY" => {
                let mut args = vec![self.expr()?];
                self.expect_word("PLACING")?;
                args.push(self.expr()?);
                self.expect_word("FROM")?;
                args.push(self.expr()?);
                if self.take_word("FOR") {
                    args.push(self.expr()?);
                }
                self.call_of("OVERLAY", args)
            }
            "JSON_EXISTS" | "JSON_VALUE" | "JSON_QUERY" | "JSON_OBJECT" | "JSON_ARRAY" => {
                self.json_call(word)?
            }
            _ => {
                self.at = before;
                return Ok(None);
            }
        };
        self.expect_symbol(")")?;
        Ok(Some(kind))
    }

    fn call_of(&self, name: &str, args: Vec<Expr>) -> ExprKind {
        let span = self.span();
        ExprKind::Function(Call {
            name: ObjectName(vec![crate::ast::Ident { value: name.to_owned(), span }]),
            args,
            star: false,
            distinct: false,
            ignore_nulls: None,
            filter: None,
        })
    }

    fn trim(&mut self) -> SqlResult<ExprKind> {
        let mode = match () {
            () if self.take_word("LEADING") => Some("LEADING"),
            () if self.take_word("TRAILING") => Some("TRAILING"),
            () if self.take_word("BOTH") => Some("BOTH"),
            () => None,
        };
        if mode.is_some() && self.take_word("FROM") {
            let expr = self.expr()?;
            return Ok(ExprKind::Trim { mode: mode.unwrap_or("BOTH"), characters: None, expr });
        }
        let first = self.expr()?;
        let mode = mode.unwrap_or("BOTH");
        if self.take_word("FROM") {
            let expr = self.expr()?;
            Ok(ExprKind::Trim { mode, characters: Some(first), expr })
        } else {
            Ok(ExprKind::Trim { mode, characters: None, expr: first })
        }
    }

    fn interval(&mut self) -> SqlResult<ExprKind> {
        self.advance();
        let negative = self.take_symbol("-");
        self.take_symbol("+");
        let text = self.string()?.value;
        let (unit, precision) = self.interval_unit()?;
        let to = if self.take_word("TO") { Some(self.interval_unit()?.0) } else { None };
        Ok(ExprKind::Interval { text, negative, unit, precision, to })
    }

    /// A unit, singular or plural, and the digits of its field if they are given.
    fn interval_unit(&mut self) -> SqlResult<(String, Option<u8>)> {
        let word = self.any_word()?;
        let Some(unit) = unit_of(&word.value) else {
            return Err(SqlError::new(
                format!("unknown interval unit '{}'", word.value),
                word.span,
            )
            .with_hint(format!("one of {}", UNITS.join(", "))));
        };
        let mut precision = None;
        if self.take_symbol("(") {
            precision = u8::try_from(self.unsigned()?).ok();
            if self.take_symbol(",") {
                self.unsigned()?;
            }
            self.expect_symbol(")")?;
        }
        Ok((unit.to_owned(), precision))
    }

    fn case(&mut self) -> SqlResult<ExprKind> {
        self.advance();
        let operand = if self.is_word("WHEN") { None } else { Some(self.expr()?) };
        let mut branches = Vec::new();
        while self.take_word("WHEN") {
            let condition = self.expr()?;
            self.expect_word("THEN")?;
            branches.push((condition, self.expr()?));
        }
        if branches.is_empty() {
            return Err(self.expected("WHEN"));
        }
        let otherwise = if self.take_word("ELSE") { Some(self.expr()?) } else { None };
        self.expect_word("END")?;
        Ok(ExprKind::Case { operand, branches, otherwise })
    }

    fn name_or_call(&mut self) -> SqlResult<ExprKind> {
        let mut parts = vec![self.any_word()?];
        while self.is_symbol(".")
            && matches!(self.peek_at(1).kind, TokenKind::Word(_) | TokenKind::Quoted(_))
        {
            self.advance();
            parts.push(self.any_word()?);
        }
        if !self.take_symbol("(") {
            return Ok(ExprKind::Column(parts));
        }
        let mut call = Call {
            name: ObjectName(parts),
            args: Vec::new(),
            star: false,
            distinct: false,
            ignore_nulls: None,
            filter: None,
        };
        self.call_args(&mut call)?;
        self.expect_symbol(")")?;
        if self.is_words(&["WITHIN", "GROUP"]) {
            return Err(SqlError::unsupported("WITHIN GROUP", self.span()));
        }
        if self.is_word("FILTER") && self.is_symbol_at(1, "(") {
            self.at += 2;
            self.expect_word("WHERE")?;
            call.filter = Some(self.expr()?);
            self.expect_symbol(")")?;
        }
        self.over(call)
    }

    fn json_call(&mut self, word: &str) -> SqlResult<ExprKind> {
        match word {
            "JSON_OBJECT" => return self.json_object(),
            "JSON_ARRAY" => return self.json_array(),
            _ => {}
        }
        let input = self.expr()?;
        self.expect_symbol(",")?;
        let path = self.expr()?;
        if word == "JSON_EXISTS" {
            let on_error = if self.is_word_at(1, "ON") {
                let mode = self.any_word()?.value.to_ascii_uppercase();
                self.expect_word("ON")?;
                self.expect_word("ERROR")?;
                Some(mode)
            } else {
                None
            };
            return Ok(ExprKind::JsonExists { input, path, on_error });
        }
        let returning = if self.take_word("RETURNING") { Some(self.data_type()?) } else { None };
        let mut wrapper = "WITHOUT";
        if word == "JSON_QUERY" && (self.is_word("WITH") || self.is_word("WITHOUT")) {
            let with = self.take_word("WITH");
            if !with {
                self.advance();
            }
            let conditional = self.take_word("CONDITIONAL");
            self.take_word("UNCONDITIONAL");
            self.take_word("ARRAY");
            self.expect_word("WRAPPER")?;
            wrapper = match (with, conditional) {
                (true, true) => "CONDITIONAL",
                (true, false) => "UNCONDITIONAL",
                _ => "WITHOUT",
            };
        }
        let (mut on_empty, mut on_error) = (None, None);
        while !self.is_symbol(")") {
            let behavior = self.json_behavior()?;
            self.expect_word("ON")?;
            if self.take_word("EMPTY") {
                on_empty = Some(behavior);
            } else {
                self.expect_word("ERROR")?;
                on_error = Some(behavior);
            }
        }
        Ok(if word == "JSON_VALUE" {
            ExprKind::JsonValue { input, path, returning, on_empty, on_error }
        } else {
            ExprKind::JsonQuery { input, path, returning, wrapper, on_empty, on_error }
        })
    }

    fn json_behavior(&mut self) -> SqlResult<JsonBehavior> {
        if self.take_word("NULL") {
            Ok(JsonBehavior::Null)
        } else if self.take_word("ERROR") {
            Ok(JsonBehavior::Error)
        } else if self.take_words(&["EMPTY", "ARRAY"]) {
            Ok(JsonBehavior::EmptyArray)
        } else if self.take_words(&["EMPTY", "OBJECT"]) {
            Ok(JsonBehavior::EmptyObject)
        } else if self.take_word("DEFAULT") {
            Ok(JsonBehavior::Default(self.expr()?))
        } else {
            Err(self.expected(
                "NULL, ERROR, EMPTY ARRAY, EMPTY OBJECT or DEFAULT, then ON EMPTY or ON ERROR",
            ))
        }
    }

    fn json_object(&mut self) -> SqlResult<ExprKind> {
        let mut members = Vec::new();
        while !self.is_symbol(")") && !self.is_word("ABSENT") && !self.is_words(&["NULL", "ON"]) {
            self.take_word("KEY");
            let key = self.expr()?;
            if !self.take_word("VALUE") && !self.take_symbol(":") {
                self.expect_symbol(",")?;
            }
            members.push((key, self.expr()?));
            self.take_symbol(",");
        }
        let absent_on_null = self.json_on_null(false)?;
        Ok(ExprKind::JsonObject { members, absent_on_null })
    }

    fn json_array(&mut self) -> SqlResult<ExprKind> {
        let mut items = Vec::new();
        while !self.is_symbol(")") && !self.is_word("ABSENT") && !self.is_words(&["NULL", "ON"]) {
            items.push(self.expr()?);
            self.take_symbol(",");
        }
        let absent_on_null = self.json_on_null(true)?;
        Ok(ExprKind::JsonArray { items, absent_on_null })
    }

    pub(super) fn json_on_null(&mut self, default: bool) -> SqlResult<bool> {
        let absent = if self.take_word("ABSENT") {
            true
        } else if self.take_word("NULL") {
            false
        } else {
            return Ok(default);
        };
        self.expect_word("ON")?;
        self.expect_word("NULL")?;
        Ok(absent)
    }
}
