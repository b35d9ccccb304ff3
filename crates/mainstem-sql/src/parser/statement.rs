//! Statements: DDL, INSERT, statement sets, SET, SHOW, DESCRIBE, EXPLAIN.

use super::Parser;
use crate::ast::{
    ColumnDef, ColumnKind, CreateTable, DistributionDef, Expr, ExprKind, Ident, Insert, LikeClause,
    ObjectName, PrimaryKeyDef, Query, Statement, StatementKind, StringLiteral, WatermarkDef,
};
use crate::error::{SqlError, SqlResult};
use crate::lexer::TokenKind;
use crate::source::Span;

impl Parser {
    pub(super) fn statement(&mut self) -> SqlResult<Statement> {
        let start = self.span();
        let kind = self.statement_kind()?;
        Ok(Statement { kind, span: self.span_from(start) })
    }

    fn statement_kind(&mut self) -> SqlResult<StatementKind> {
        let word = match &self.peek().kind {
            TokenKind::Word(word) => word.to_ascii_uppercase(),
            TokenKind::Symbol("(") => return Ok(StatementKind::Query(self.query()?)),
            _ => return Err(self.expected("a statement")),
        };
        match word.as_str() {
            "SELECT" | "WITH" | "VALUES" => Ok(StatementKind::Query(self.query()?)),
            "CREATE" | "REPLACE" => self.create(),
            "DROP" => self.drop_statement(),
            "INSERT" => Ok(StatementKind::Insert(self.insert()?)),
            "EXECUTE" | "BEGIN" | "STATEMENT" => self.statement_set(),
            "SET" => self.set(),
            "RESET" => {
                self.advance();
                let key = match &self.peek().kind {
                    TokenKind::String(_) => Some(self.string()?.value),
                    _ => None,
                };
                Ok(StatementKind::Reset { key })
            }
            "SHOW" => self.show(),
            "DESCRIBE" | "DESC" => self.describe(),
            "ALTER" => self.alter(),
            "EXPLAIN" => self.explain(),
            "USE" => self.use_statement(),
            _ => Err(self.refuse_statement(&word)),
        }
    }

    fn refuse_statement(&self, word: &str) -> SqlError {
        const FLINK_ONLY: &[&str] = &["STOP", "COMPILE", "MERGE"];
        // Flink refuses them too, over streams or in its own catalog.
        const REFUSED: &[(&str, &str, &str)] = &[
            ("UPDATE", "UPDATE does not run over streams", CHANGES),
            ("DELETE", "DELETE does not run over streams", CHANGES),
            ("TRUNCATE", "TRUNCATE TABLE does not run over streams", CHANGES),
            (
                "ANALYZE",
                "ANALYZE TABLE does not run over streams",
                "leave it out: no plan here depends on statistics",
            ),
            (
                "CALL",
                "there are no procedures",
                "they come with catalogs of other systems; mainstem deploy runs them on Flink",
            ),
            ("LOAD", "modules are Java classes", "mainstem deploy runs it on Flink"),
            ("UNLOAD", "modules are Java classes", "mainstem deploy runs it on Flink"),
            (
                "ADD",
                "jars are not loaded",
                "functions are written in SQL: CREATE FUNCTION f(a INT) RETURN a + 1",
            ),
            ("REMOVE", "jars are not loaded", "leave it out"),
        ];
        const CHANGES: &str = "INSERT the changed rows into a table with PRIMARY KEY, or write to the system that has the table";
        if let Some((_, message, hint)) = REFUSED.iter().find(|(known, ..)| *known == word) {
            return SqlError::new(*message, self.span()).with_hint(*hint);
        }
        const KNOWN: &[&str] = &[
            "SELECT", "CREATE", "ALTER", "DROP", "INSERT", "EXECUTE", "SET", "RESET", "SHOW",
            "DESCRIBE", "EXPLAIN", "WITH", "VALUES",
        ];
        if FLINK_ONLY.contains(&word) {
            return SqlError::unsupported(format!("the statement {word}"), self.span());
        }
        let error = SqlError::new(format!("unknown statement '{word}'"), self.span());
        match mainstem_core::options::nearest(word, KNOWN.iter().copied()) {
            Some(near) => error.with_hint(format!("did you mean {near}?")),
            None => error.with_hint(format!("a statement starts with {}", KNOWN.join(", "))),
        }
    }

    fn explain(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        if !self.take_words(&["PLAN", "FOR"]) {
            while ["ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN", "PLAN_ADVICE"]
                .iter()
                .any(|w| self.take_word(w))
            {
                self.take_symbol(",");
            }
        }
        let statement = self.statement()?;
        match statement.kind {
            StatementKind::Query(_) | StatementKind::Insert(_) | StatementKind::StatementSet(_) => {
                Ok(StatementKind::Explain(Box::new(statement)))
            }
            _ => Err(SqlError::new("only queries and INSERT can be explained", statement.span)),
        }
    }

    fn set(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        let key = match &self.peek().kind {
            TokenKind::String(_) => self.string()?.value,
            TokenKind::Word(_) => {
                let mut key = self.any_word()?.value;
                while self.is_symbol(".") || self.is_symbol("-") {
                    key.push_str(if self.take_symbol(".") { "." } else { "-" });
                    if key.ends_with('-') {
                        self.take_symbol("-");
                    }
                    key.push_str(&self.any_word()?.value);
                }
                key
            }
            _ => return Ok(StatementKind::Set { key: None }),
        };
        self.expect_symbol("=")?;
        let value = match self.peek().kind.clone() {
            TokenKind::String(value) | TokenKind::Number(value) | TokenKind::Word(value) => {
                self.advance();
                value
            }
            _ => return Err(self.expected("a value in single quotes")),
        };
        Ok(StatementKind::Set { key: Some((key, value)) })
    }

    pub(super) fn if_exists(&mut self) -> bool {
        self.take_words(&["IF", "EXISTS"])
    }

    fn drop_statement(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        self.take_word("TEMPORARY");
        if self.is_word("CATALOG") || self.is_word("DATABASE") {
            return self.drop_namespace();
        }
        if self.take_word("FUNCTION") {
            return self.drop_function();
        }
        let view = self.take_word("VIEW");
        if !view && !self.take_word("TABLE") {
            return Err(self.expected("TABLE or VIEW"));
        }
        let if_exists = self.if_exists();
        Ok(StatementKind::Drop { view, if_exists, name: self.table_name()? })
    }

    fn create(&mut self) -> SqlResult<StatementKind> {
        let start = self.span();
        let replace = self.is_word("REPLACE");
        self.advance();
        let or_replace = replace || self.take_words(&["OR", "REPLACE"]);
        let temporary = self.take_word("TEMPORARY");
        if self.take_word("TABLE") {
            let if_not_exists = self.take_words(&["IF", "NOT", "EXISTS"]);
            let name = self.table_name()?;
            let mut table =
                CreateTable { or_replace, temporary, if_not_exists, ..Self::new_table(name) };
            if self.is_symbol("(") && self.is_list_of_names() {
                table.column_order = self.parenthesized(Self::ident)?;
            } else if self.take_symbol("(") {
                self.table_elements(&mut table)?;
            }
            self.table_clauses(&mut table)?;
            check_as_select(&table, replace, self.span_from(start))?;
            Ok(StatementKind::CreateTable(Box::new(table)))
        } else if replace {
            Err(self.expected("TABLE"))
        } else if self.take_word("VIEW") {
            let if_not_exists = self.take_words(&["IF", "NOT", "EXISTS"]);
            let name = self.table_name()?;
            let columns =
                if self.is_symbol("(") { self.parenthesized(Self::ident)? } else { Vec::new() };
            if self.take_word("COMMENT") {
                self.string()?;
            }
            self.expect_word("AS")?;
            let query = self.query()?;
            Ok(StatementKind::CreateView { name, columns, query, or_replace, if_not_exists })
        } else if self.take_word("FUNCTION") {
            self.create_function(or_replace)
        } else if self.is_word("CATALOG") || self.is_word("DATABASE") {
            self.create_namespace()
        } else if ["SYSTEM", "MODEL", "MATERIALIZED"].iter().any(|w| self.is_word(w)) {
            let what = self.any_word()?;
            Err(SqlError::unsupported(format!("CREATE {}", what.value.to_uppercase()), what.span))
        } else {
            Err(self.expected("TABLE or VIEW"))
        }
    }

    /// A declaration with nothing in it.
    pub(super) fn new_table(name: ObjectName) -> CreateTable {
        CreateTable {
            name,
            or_replace: false,
            temporary: false,
            if_not_exists: false,
            columns: Vec::new(),
            column_order: Vec::new(),
            watermark: None,
            primary_key: None,
            comment: None,
            distribution: None,
            partitioned_by: Vec::new(),
            like: None,
            options: Vec::new(),
            query: None,
        }
    }

    pub(super) fn watermark(&mut self, table: &mut CreateTable) -> SqlResult<()> {
        let start = self.span();
        self.at += 2;
        let mut column = vec![self.ident()?];
        while self.take_symbol(".") {
            column.push(self.any_word()?);
        }
        self.expect_word("AS")?;
        let expr = self.expr()?;
        match table.watermark.replace(WatermarkDef { column, expr }) {
            Some(_) => Err(SqlError::new("a table has one watermark", start)),
            None => Ok(()),
        }
    }

    fn table_elements(&mut self, table: &mut CreateTable) -> SqlResult<()> {
        loop {
            if self.is_words(&["WATERMARK", "FOR"]) {
                self.watermark(table)?;
            } else if self.is_words(&["PRIMARY", "KEY"]) || self.is_word("CONSTRAINT") {
                self.primary_key(table)?;
            } else {
                let column = self.column_def(table)?;
                table.columns.push(column);
            }
            if self.take_symbol(")") {
                return Ok(());
            }
            if !self.take_symbol(",") {
                return Err(self.expected("',' or ')'"));
            }
        }
    }

    pub(super) fn primary_key(&mut self, table: &mut CreateTable) -> SqlResult<()> {
        let start = self.span();
        let name = if self.take_word("CONSTRAINT") { Some(self.ident()?) } else { None };
        self.expect_word("PRIMARY")?;
        self.expect_word("KEY")?;
        let columns = self.parenthesized(Self::ident)?;
        self.not_enforced(start)?;
        set_primary_key(table, PrimaryKeyDef { name, columns }, self.span_from(start))
    }

    fn not_enforced(&mut self, start: Span) -> SqlResult<()> {
        if self.take_words(&["NOT", "ENFORCED"]) {
            return Ok(());
        }
        Err(SqlError::new("a primary key must be declared NOT ENFORCED", self.span_from(start))
            .with_hint(
                "Flink, and so this dialect, trusts the data: write PRIMARY KEY (...) NOT ENFORCED",
            ))
    }

    pub(super) fn column_def(&mut self, table: &mut CreateTable) -> SqlResult<ColumnDef> {
        let name = self.ident()?;
        if self.take_word("AS") {
            let expr = self.expr()?;
            return Ok(ColumnDef {
                name,
                kind: ColumnKind::Computed(expr),
                comment: self.column_comment()?,
            });
        }
        let data_type = self.data_type()?;
        let kind = if self.take_word("METADATA") {
            let from = if self.take_word("FROM") { Some(self.string()?.value) } else { None };
            ColumnKind::Metadata { data_type, from, is_virtual: self.take_word("VIRTUAL") }
        } else {
            ColumnKind::Physical(data_type)
        };
        let start = self.span();
        if self.take_words(&["PRIMARY", "KEY"]) {
            self.not_enforced(start)?;
            let key = PrimaryKeyDef { name: None, columns: vec![name.clone()] };
            set_primary_key(table, key, start)?;
        }
        Ok(ColumnDef { name, kind, comment: self.column_comment()? })
    }

    fn column_comment(&mut self) -> SqlResult<Option<String>> {
        if self.take_word("COMMENT") { Ok(Some(self.string()?.value)) } else { Ok(None) }
    }

    /// What follows the columns, in Flink's order.
    fn table_clauses(&mut self, table: &mut CreateTable) -> SqlResult<()> {
        table.comment = self.column_comment()?;
        if self.is_word("DISTRIBUTED") {
            table.distribution = Some(self.distribution("DISTRIBUTED")?);
        }
        if self.take_words(&["PARTITIONED", "BY"]) {
            table.partitioned_by = self.parenthesized(Self::ident)?;
        }
        if self.take_word("WITH") {
            table.options = self.options()?;
        }
        if self.take_word("LIKE") {
            table.like = Some(self.like_clause()?);
        } else if self.take_word("AS") {
            table.query = Some(self.query()?);
        }
        Ok(())
    }

    /// `(a, b, c)`: names and nothing else.
    fn is_list_of_names(&self) -> bool {
        let mut at = 1;
        while self.is_name_at(at) && self.is_symbol_at(at + 1, ",") {
            at += 2;
        }
        self.is_name_at(at) && self.is_symbol_at(at + 1, ")")
    }

    pub(super) fn distribution(&mut self, word: &str) -> SqlResult<DistributionDef> {
        let start = self.span();
        self.expect_word(word)?;
        let (mut kind, mut columns) = (None, Vec::new());
        let by = self.take_word("BY");
        if by {
            kind = ["HASH", "RANGE"].into_iter().find(|w| self.take_word(w));
            columns = self.parenthesized(Self::ident)?;
        }
        let mut buckets = None;
        if !by || self.is_word("INTO") {
            self.expect_word("INTO")?;
            let TokenKind::Number(count) = self.peek().kind.clone() else {
                return Err(self.expected("a number of buckets"));
            };
            self.advance();
            self.expect_word("BUCKETS")?;
            buckets = Some(count);
        }
        Ok(DistributionDef { kind, columns, buckets, span: self.span_from(start) })
    }

    fn like_clause(&mut self) -> SqlResult<LikeClause> {
        let table = self.table_name()?;
        let mut rules = Vec::new();
        if self.take_symbol("(") {
            loop {
                let start = self.span();
                let how = self.any_word()?.value.to_ascii_uppercase();
                let what = self.any_word()?.value.to_ascii_uppercase();
                rules.push((how, what, self.span_from(start)));
                if self.take_symbol(")") {
                    break;
                }
            }
        }
        Ok(LikeClause { table, rules })
    }

    /// `('key' = 'value', ...)`, also empty.
    pub(super) fn options(&mut self) -> SqlResult<Vec<(StringLiteral, StringLiteral)>> {
        self.expect_symbol("(")?;
        let mut options = Vec::new();
        if self.take_symbol(")") {
            return Ok(options);
        }
        loop {
            let key = self.string()?;
            self.expect_symbol("=")?;
            options.push((key, self.string()?));
            if self.take_symbol(")") {
                return Ok(options);
            }
            if !self.take_symbol(",") {
                return Err(self.expected("',' or ')'"));
            }
        }
    }

    /// `/*+ OPTIONS('key' = 'value') */`; hints that change how but not what is computed are read over.
    pub(super) fn hints(&mut self) -> SqlResult<Vec<(StringLiteral, StringLiteral)>> {
        let mut state_ttl = Vec::new();
        let options = self.hints_with(&mut state_ttl)?;
        match state_ttl.first() {
            Some((table, _)) => Err(SqlError::new("STATE_TTL stands behind SELECT", table.span)),
            None => Ok(options),
        }
    }

    /// The same behind SELECT, where STATE_TTL can stand.
    pub(super) fn hints_with(
        &mut self,
        state_ttl: &mut Vec<(StringLiteral, StringLiteral)>,
    ) -> SqlResult<Vec<(StringLiteral, StringLiteral)>> {
        let mut options = Vec::new();
        while self.take_symbol("/*+") {
            while !self.take_symbol("*/") {
                if self.peek().kind == TokenKind::End {
                    return Err(self.expected("*/"));
                }
                if self.is_word("OPTIONS") && self.is_symbol_at(1, "(") {
                    self.advance();
                    options.extend(self.options()?);
                } else if self.is_word("STATE_TTL") && self.is_symbol_at(1, "(") {
                    self.advance();
                    state_ttl.extend(self.options()?);
                } else {
                    self.advance();
                }
            }
        }
        Ok(options)
    }

    fn insert(&mut self) -> SqlResult<Insert> {
        let start = self.span();
        self.expect_word("INSERT")?;
        let overwrite = self.take_word("OVERWRITE");
        if !overwrite {
            self.expect_word("INTO")?;
        }
        let table = self.table_name()?;
        let hints = self.hints()?;
        let partition = if self.take_word("PARTITION") {
            self.parenthesized(Self::partition_value)?
        } else {
            Vec::new()
        };
        let columns: Vec<Ident> = if self.is_symbol("(")
            && !self.is_word_at(1, "SELECT")
            && !self.is_word_at(1, "VALUES")
            && !self.is_word_at(1, "WITH")
        {
            self.parenthesized(Self::ident)?
        } else {
            Vec::new()
        };
        let query: Query = self.query()?;
        let span = self.span_from(start);
        Ok(Insert { table, hints, partition, columns, query, overwrite, span })
    }

    /// `column = literal`.
    pub(super) fn partition_value(&mut self) -> SqlResult<(Ident, Expr)> {
        let column = self.ident()?;
        self.expect_symbol("=")?;
        let value = self.expr()?;
        match value.kind.as_ref() {
            ExprKind::Number(_)
            | ExprKind::String(_)
            | ExprKind::Boolean(_)
            | ExprKind::Temporal { .. } => Ok((column, value)),
            ExprKind::Negate(e) if matches!(e.kind.as_ref(), ExprKind::Number(_)) => {
                Ok((column, value))
            }
            _ => Err(SqlError::new("PARTITION takes literals that are not NULL", value.span)
                .with_hint("give other values as columns of the query")),
        }
    }

    fn statement_set(&mut self) -> SqlResult<StatementKind> {
        let start = self.span();
        self.take_word("EXECUTE");
        if !self.take_word("BEGIN") {
            if self.is_word("INSERT") {
                return Ok(StatementKind::Insert(self.insert()?));
            }
            if self.is_word("SELECT") || self.is_word("WITH") {
                return Ok(StatementKind::Query(self.query()?));
            }
            self.expect_word("STATEMENT")?;
            self.expect_word("SET")?;
            self.expect_word("BEGIN")?;
        } else {
            self.expect_word("STATEMENT")?;
            self.expect_word("SET")?;
            while self.take_symbol(";") {}
        }
        let mut inserts = Vec::new();
        loop {
            while self.take_symbol(";") {}
            if self.take_word("END") {
                break;
            }
            if !self.is_word("INSERT") {
                return Err(self.expected("INSERT INTO or END"));
            }
            inserts.push(self.insert()?);
            if !self.is_symbol(";") {
                return Err(self.expected("';' behind each INSERT of a statement set"));
            }
        }
        if inserts.is_empty() {
            return Err(SqlError::new("a statement set holds at least one INSERT", start));
        }
        Ok(StatementKind::StatementSet(inserts))
    }
}

fn set_primary_key(table: &mut CreateTable, key: PrimaryKeyDef, span: Span) -> SqlResult<()> {
    if table.primary_key.replace(key).is_some() {
        return Err(SqlError::new("a table has one primary key", span));
    }
    Ok(())
}

/// What AS SELECT does not go with, as in Flink.
fn check_as_select(table: &CreateTable, replace: bool, span: Span) -> SqlResult<()> {
    match (&table.query, &table.like) {
        (Some(_), Some(like)) => {
            Err(SqlError::new("LIKE and AS SELECT exclude each other", like.table.span()))
        }
        (Some(_), None) if table.temporary => {
            Err(SqlError::new("CREATE TEMPORARY TABLE takes no AS SELECT", span)
                .with_hint("leave TEMPORARY out: a table lasts as long as the run anyway"))
        }
        (None, _) if replace => Err(SqlError::new("REPLACE TABLE needs AS SELECT", span)
            .with_hint("write CREATE OR REPLACE TABLE")),
        (None, _) if !table.column_order.is_empty() => {
            Err(SqlError::new("a column needs a type", table.column_order[0].span)
                .with_hint("names alone order the columns of CREATE TABLE ... AS SELECT"))
        }
        _ => Ok(()),
    }
}
