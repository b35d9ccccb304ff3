//! Queries: SELECT, FROM, joins, table functions, set operations, VALUES, ORDER BY, LIMIT.

use super::{Parser, is_reserved};
use crate::ast::{
    Alias, ExprKind, JoinConstraint, JoinType, ObjectName, OrderItem, Query, Select, SelectItem,
    SetExpr, SetOperator, TableArg, TableArgValue, TableRef,
};
use crate::error::{SqlError, SqlResult};
use crate::lexer::TokenKind;

impl Parser {
    pub(super) fn query(&mut self) -> SqlResult<Query> {
        self.nested(Self::query_inner)
    }

    fn query_inner(&mut self) -> SqlResult<Query> {
        let start = self.span();
        let mut ctes = Vec::new();
        if self.take_word("WITH") {
            ctes = self.comma_separated(|parser| {
                let name = parser.ident()?;
                let columns = if parser.is_symbol("(") {
                    parser.parenthesized(Self::ident)?
                } else {
                    Vec::new()
                };
                parser.expect_word("AS")?;
                parser.expect_symbol("(")?;
                let query = parser.query()?;
                parser.expect_symbol(")")?;
                Ok((name, columns, query))
            })?;
        }
        let body = self.set_expr(0)?;
        let mut query = Query {
            ctes,
            body,
            order_by: Vec::new(),
            limit: None,
            offset: None,
            span: self.span_from(start),
        };
        if self.take_words(&["ORDER", "BY"]) {
            query.order_by = self.comma_separated(Self::order_item)?;
        }
        loop {
            if self.take_word("LIMIT") {
                if !self.take_word("ALL") {
                    query.limit = Some(self.expr()?);
                }
            } else if self.take_word("OFFSET") {
                query.offset = Some(self.expr()?);
                let _ = self.take_word("ROWS") || self.take_word("ROW");
            } else if self.take_word("FETCH") {
                let _ = self.take_word("FIRST") || self.take_word("NEXT");
                query.limit = Some(self.expr()?);
                let _ = self.take_word("ROWS") || self.take_word("ROW");
                self.expect_word("ONLY")?;
            } else {
                query.span = self.span_from(start);
                return Ok(query);
            }
        }
    }

    pub(super) fn order_item(&mut self) -> SqlResult<OrderItem> {
        let expr = self.expr()?;
        let descending = self.take_word("DESC");
        if !descending {
            self.take_word("ASC");
        }
        let nulls_first = if self.take_words(&["NULLS", "FIRST"]) {
            Some(true)
        } else if self.take_words(&["NULLS", "LAST"]) {
            Some(false)
        } else {
            None
        };
        Ok(OrderItem { expr, descending, nulls_first })
    }

    /// INTERSECT binds closer than UNION and EXCEPT.
    fn set_expr(&mut self, level: u8) -> SqlResult<SetExpr> {
        let start = self.span();
        let mut left = if level == 0 { self.set_expr(1)? } else { self.set_primary()? };
        loop {
            let op = match level {
                0 if self.take_word("UNION") => SetOperator::Union,
                0 if self.take_word("EXCEPT") || self.take_word("MINUS") => SetOperator::Except,
                1 if self.take_word("INTERSECT") => SetOperator::Intersect,
                _ => return Ok(left),
            };
            let all = self.take_word("ALL");
            if !all {
                self.take_word("DISTINCT");
            }
            let right = if level == 0 { self.set_expr(1)? } else { self.set_primary()? };
            let span = self.span_from(start);
            left = SetExpr::SetOperation {
                op,
                all,
                left: Box::new(left),
                right: Box::new(right),
                span,
            };
        }
    }

    fn set_primary(&mut self) -> SqlResult<SetExpr> {
        if self.is_word("SELECT") {
            return Ok(SetExpr::Select(Box::new(self.select()?)));
        }
        if self.take_word("VALUES") {
            let rows = self.comma_separated(|parser| {
                let row_word = parser.is_word("ROW") && parser.is_symbol_at(1, "(");
                if row_word {
                    parser.advance();
                }
                if parser.is_symbol("(") {
                    parser.parenthesized(Self::expr)
                } else {
                    Ok(vec![parser.expr()?])
                }
            })?;
            return Ok(SetExpr::Values(rows));
        }
        if self.take_symbol("(") {
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(SetExpr::Query(Box::new(query)));
        }
        Err(self.expected("SELECT, VALUES or a query in parentheses"))
    }

    fn select(&mut self) -> SqlResult<Select> {
        let start = self.span();
        self.expect_word("SELECT")?;
        let mut state_ttl = Vec::new();
        self.hints_with(&mut state_ttl)?;
        let distinct = self.take_word("DISTINCT");
        if !distinct {
            self.take_word("ALL");
        }
        let items = self.comma_separated(Self::select_item)?;
        let from = if self.take_word("FROM") { Some(self.table_list()?) } else { None };
        let selection = if self.take_word("WHERE") { Some(self.expr()?) } else { None };
        let group_by =
            if self.take_words(&["GROUP", "BY"]) { self.group_items()? } else { Vec::new() };
        let having = if self.take_word("HAVING") { Some(self.expr()?) } else { None };
        let windows = self.window_clause()?;
        let qualify = if self.take_word("QUALIFY") { Some(self.expr()?) } else { None };
        let span = self.span_from(start);
        Ok(Select {
            state_ttl,
            distinct,
            items,
            from,
            selection,
            group_by,
            having,
            windows,
            qualify,
            span,
        })
    }

    fn select_item(&mut self) -> SqlResult<SelectItem> {
        let start = self.span();
        if self.take_symbol("*") {
            return Ok(SelectItem::Wildcard { qualifier: None, span: start });
        }
        // name.* (a name of any length)
        let mut ahead = 0;
        while matches!(self.peek_at(ahead).kind, TokenKind::Word(_) | TokenKind::Quoted(_))
            && self.is_symbol_at(ahead + 1, ".")
        {
            ahead += 2;
        }
        if ahead > 0 && self.is_symbol_at(ahead, "*") {
            let mut parts = Vec::new();
            while !self.take_symbol("*") {
                parts.push(self.any_word()?);
                self.expect_symbol(".")?;
            }
            let span = self.span_from(start);
            return Ok(SelectItem::Wildcard { qualifier: Some(ObjectName(parts)), span });
        }
        let expr = self.expr()?;
        let alias = if self.take_word("AS") {
            Some(self.any_word()?)
        } else if self.at_implicit_alias() {
            Some(self.ident()?)
        } else {
            None
        };
        Ok(SelectItem::Expr { expr, alias })
    }

    fn at_implicit_alias(&self) -> bool {
        match &self.peek().kind {
            TokenKind::Word(word) => !is_reserved(word),
            TokenKind::Quoted(_) => true,
            _ => false,
        }
    }

    fn table_list(&mut self) -> SqlResult<TableRef> {
        let start = self.span();
        let mut left = self.joined_table()?;
        while self.take_symbol(",") {
            let right = self.joined_table()?;
            left = TableRef::Join {
                left: Box::new(left),
                right: Box::new(right),
                kind: JoinType::Cross,
                constraint: JoinConstraint::None,
                span: self.span_from(start),
            };
        }
        Ok(left)
    }

    fn joined_table(&mut self) -> SqlResult<TableRef> {
        let start = self.span();
        let mut left = self.table_factor()?;
        loop {
            let natural = self.take_word("NATURAL");
            let kind = if self.take_words(&["CROSS", "JOIN"]) {
                JoinType::Cross
            } else if self.take_words(&["INNER", "JOIN"]) || self.take_word("JOIN") {
                JoinType::Inner
            } else if self.take_words(&["LEFT", "OUTER", "JOIN"])
                || self.take_words(&["LEFT", "JOIN"])
            {
                JoinType::Left
            } else if self.take_words(&["RIGHT", "OUTER", "JOIN"])
                || self.take_words(&["RIGHT", "JOIN"])
            {
                JoinType::Right
            } else if self.take_words(&["FULL", "OUTER", "JOIN"])
                || self.take_words(&["FULL", "JOIN"])
            {
                JoinType::Full
            } else if natural {
                return Err(self.expected("JOIN"));
            } else if self.is_word("MATCH_RECOGNIZE") {
                let message = "MATCH_RECOGNIZE stands right behind its table";
                return Err(SqlError::new(message, self.span())
                    .with_hint("put the alias behind it: FROM t MATCH_RECOGNIZE (...) AS a"));
            } else {
                return Ok(left);
            };
            let right = self.table_factor()?;
            let constraint = if natural {
                JoinConstraint::Natural
            } else if kind == JoinType::Cross {
                JoinConstraint::None
            } else if self.take_word("ON") {
                JoinConstraint::On(self.expr()?)
            } else if self.take_word("USING") {
                JoinConstraint::Using(self.parenthesized(Self::ident)?)
            } else if matches!(right, TableRef::Unnest { .. } | TableRef::Function { .. }) {
                JoinConstraint::None
            } else {
                return Err(self.expected("ON or USING"));
            };
            let span = self.span_from(start);
            left = TableRef::Join {
                left: Box::new(left),
                right: Box::new(right),
                kind,
                constraint,
                span,
            };
        }
    }

    fn table_factor(&mut self) -> SqlResult<TableRef> {
        let start = self.span();
        let lateral = self.take_word("LATERAL");
        if self.is_word("UNNEST") && self.is_symbol_at(1, "(") {
            self.at += 2;
            let expr = self.expr()?;
            self.expect_symbol(")")?;
            let with_ordinality = self.take_words(&["WITH", "ORDINALITY"]);
            let span = self.span_from(start);
            return Ok(TableRef::Unnest { expr, with_ordinality, alias: self.alias()?, span });
        }
        if self.is_word("TABLE") && self.is_symbol_at(1, "(") {
            self.at += 2;
            let (name, args) = self.table_function()?;
            self.expect_symbol(")")?;
            let span = self.span_from(start);
            return Ok(TableRef::Function { name, args, alias: self.alias()?, lateral, span });
        }
        if self.take_symbol("(") {
            if self.is_word("SELECT")
                || self.is_word("VALUES")
                || self.is_word("WITH")
                || self.is_symbol("(")
            {
                let query = Box::new(self.query()?);
                self.expect_symbol(")")?;
                if self.is_word("MATCH_RECOGNIZE") {
                    return self.matched(TableRef::Derived { query, alias: None, lateral });
                }
                return Ok(TableRef::Derived { query, alias: self.alias()?, lateral });
            }
            let inner = self.table_list()?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        let bare_function =
            matches!(self.peek().kind, TokenKind::Word(_)) && self.is_symbol_at(1, "(");
        if bare_function {
            let (name, args) = self.table_function()?;
            let span = self.span_from(start);
            return Ok(TableRef::Function { name, args, alias: self.alias()?, lateral, span });
        }
        let name = self.table_name()?;
        let hints = self.hints()?;
        let system_time = if self.take_words(&["FOR", "SYSTEM_TIME", "AS", "OF"]) {
            Some(self.expr()?)
        } else {
            None
        };
        if self.is_word("MATCH_RECOGNIZE") {
            return self.matched(TableRef::Table { name, hints, system_time, alias: None });
        }
        Ok(TableRef::Table { name, hints, system_time, alias: self.alias()? })
    }

    pub(super) fn alias(&mut self) -> SqlResult<Option<Alias>> {
        let name = if self.take_word("AS") {
            self.any_word()?
        } else if self.at_implicit_alias() {
            self.ident()?
        } else {
            return Ok(None);
        };
        let columns =
            if self.is_symbol("(") { self.parenthesized(Self::ident)? } else { Vec::new() };
        Ok(Some(Alias { name, columns }))
    }

    /// `TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)`
    fn table_function(&mut self) -> SqlResult<(crate::ast::Ident, Vec<TableArg>)> {
        let name = self.any_word()?;
        self.expect_symbol("(")?;
        if self.take_symbol(")") {
            return Ok((name, Vec::new()));
        }
        let args = self.comma_separated(Self::table_arg)?;
        self.expect_symbol(")")?;
        Ok((name, args))
    }

    fn table_arg(&mut self) -> SqlResult<TableArg> {
        let name = if self.is_symbol_at(1, "=>") {
            let name = self.any_word()?;
            self.advance();
            Some(name)
        } else {
            None
        };
        let value = if self.is_word("TABLE") && !self.is_symbol_at(1, "(") {
            self.advance();
            TableArgValue::Table(self.table_name()?)
        } else if self.is_word("TABLE") || (self.is_symbol("(") && self.is_word_at(1, "SELECT")) {
            self.take_word("TABLE");
            self.expect_symbol("(")?;
            let query = self.query()?;
            self.expect_symbol(")")?;
            TableArgValue::Query(Box::new(query))
        } else if self.is_word("DESCRIPTOR") && self.is_symbol_at(1, "(") {
            self.advance();
            TableArgValue::Descriptor(self.parenthesized(Self::ident)?)
        } else {
            let expr = self.expr()?;
            match *expr.kind {
                ExprKind::Subquery(query) => TableArgValue::Query(Box::new(query)),
                _ => TableArgValue::Expr(expr),
            }
        };
        let is_table = matches!(value, TableArgValue::Table(_) | TableArgValue::Query(_));
        let partition_by = if is_table && self.take_words(&["PARTITION", "BY"]) {
            if self.is_symbol("(") { self.parenthesized(Self::ident)? } else { vec![self.ident()?] }
        } else {
            Vec::new()
        };
        Ok(TableArg { name, value, partition_by })
    }
}
