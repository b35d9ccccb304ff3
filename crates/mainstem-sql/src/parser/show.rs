//! SHOW, DESCRIBE and USE.

use super::Parser;
use crate::ast::{LikePattern, ObjectName, Show, StatementKind};
use crate::error::{SqlError, SqlResult};

impl Parser {
    pub(super) fn show(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        let show = if self.take_word("TABLES") {
            Show::Tables(self.of_database()?, self.like_pattern()?)
        } else if self.take_word("VIEWS") {
            Show::Views(self.of_database()?, self.like_pattern()?)
        } else if self.take_word("COLUMNS") {
            if !self.take_word("FROM") {
                self.expect_word("IN")?;
            }
            Show::Columns(self.table_name()?, self.like_pattern()?)
        } else if self.take_words(&["CREATE", "TABLE"]) {
            Show::CreateTable(self.table_name()?)
        } else if self.take_words(&["CREATE", "VIEW"]) {
            Show::CreateView(self.table_name()?)
        } else if self.take_words(&["CREATE", "CATALOG"]) {
            Show::CreateCatalog(self.ident()?)
        } else if self.take_words(&["CURRENT", "CATALOG"]) {
            Show::CurrentCatalog
        } else if self.take_words(&["CURRENT", "DATABASE"]) {
            Show::CurrentDatabase
        } else if self.take_word("CATALOGS") {
            Show::Catalogs(self.like_pattern()?)
        } else if self.take_word("DATABASES") {
            let catalog = self.of_database()?.map(|name| name.last().clone());
            let like = self.like_in_any_case()?;
            Show::Databases(catalog, like)
        } else {
            return self.show_rest();
        };
        Ok(StatementKind::Show(show))
    }

    fn show_rest(&mut self) -> SqlResult<StatementKind> {
        let show = if self.take_word("PARTITIONS") {
            let table = self.table_name()?;
            if self.take_word("PARTITION") {
                self.parenthesized(Self::partition_value)?;
            }
            Show::Partitions(table)
        } else if self.take_word("FUNCTIONS") || self.take_words(&["USER", "FUNCTIONS"]) {
            let user = self.tokens.get(self.at.wrapping_sub(2)).is_some_and(|token| {
                matches!(&token.kind, crate::lexer::TokenKind::Word(w) if w.eq_ignore_ascii_case("USER"))
            });
            self.of_database()?;
            Show::Functions { user, like: self.like_in_any_case()? }
        } else if self.take_words(&["FULL", "MODULES"]) {
            Show::Modules { full: true }
        } else if self.take_word("MODULES") {
            Show::Modules { full: false }
        } else if self.take_word("JARS") {
            Show::Nothing
        } else if self.take_word("MODELS") || self.take_words(&["MATERIALIZED", "TABLES"]) {
            self.of_database()?;
            self.like_pattern()?;
            Show::Nothing
        } else if self.is_word("JOBS") || self.is_word("PROCEDURES") {
            let what = self.any_word()?;
            let message = format!("SHOW {} is not supported here", what.value.to_uppercase());
            return Err(SqlError::new(message, what.span)
                .with_hint("a job runs as long as its `mainstem run`; the console shows it"));
        } else {
            let known = "TABLES, VIEWS, COLUMNS, CREATE TABLE, CREATE VIEW, CREATE CATALOG, CATALOGS, DATABASES, \
                         CURRENT CATALOG, CURRENT DATABASE, PARTITIONS, FUNCTIONS, MODULES or JARS";
            return Err(self.expected(known));
        };
        Ok(StatementKind::Show(show))
    }

    /// `FROM db` or `IN db`.
    fn of_database(&mut self) -> SqlResult<Option<ObjectName>> {
        if !self.take_word("FROM") && !self.take_word("IN") {
            return Ok(None);
        }
        self.object_name().map(Some)
    }

    fn like_pattern(&mut self) -> SqlResult<Option<LikePattern>> {
        let negated = self.take_words(&["NOT", "LIKE"]);
        if !negated && !self.take_word("LIKE") {
            return Ok(None);
        }
        Ok(Some(LikePattern { negated, any_case: false, pattern: self.string()? }))
    }

    /// LIKE, or ILIKE where Flink has it.
    fn like_in_any_case(&mut self) -> SqlResult<Option<LikePattern>> {
        let negated = self.is_words(&["NOT", "ILIKE"]);
        if !negated && !self.is_word("ILIKE") {
            return self.like_pattern();
        }
        self.at += 1 + usize::from(negated);
        Ok(Some(LikePattern { negated, any_case: true, pattern: self.string()? }))
    }

    pub(super) fn describe(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        if self.is_word("CATALOG")
            && !matches!(self.peek_at(1).kind, crate::lexer::TokenKind::End)
            && !self.is_symbol_at(1, ";")
        {
            self.advance();
            let extended = self.take_word("EXTENDED");
            return Ok(StatementKind::DescribeCatalog { name: self.ident()?, extended });
        }
        self.take_word("EXTENDED");
        Ok(StatementKind::Describe(self.table_name()?))
    }

    pub(super) fn use_statement(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        if self.is_word("MODULES") {
            return Err(SqlError::new("modules are Java classes", self.span())
                .with_hint("mainstem deploy runs it on Flink"));
        }
        let catalog = self.take_word("CATALOG");
        Ok(StatementKind::Use { catalog, name: self.object_name()? })
    }
}
