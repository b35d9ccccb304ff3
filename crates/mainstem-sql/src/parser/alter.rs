//! ALTER; CREATE and DROP of catalogs and databases.
//! Invariant: columns and clauses of ADD and MODIFY are read by the grammar of CREATE TABLE and kept as text.

use super::Parser;
use crate::ast::{
    Alter, AlterTable, ColumnKind, Element, ElementKind, NamespaceStatement, Position,
    StatementKind,
};
use crate::error::{SqlError, SqlResult};

impl Parser {
    pub(super) fn alter(&mut self) -> SqlResult<StatementKind> {
        let start = self.span();
        self.advance();
        if self.take_word("TABLE") {
            let if_exists = self.if_exists();
            let name = self.table_name()?;
            let action = self.alter_table()?;
            return Ok(StatementKind::Alter(Box::new(Alter::Table { name, if_exists, action })));
        }
        let alter = if self.take_word("VIEW") {
            let name = self.table_name()?;
            if self.take_words(&["RENAME", "TO"]) {
                Alter::ViewRename { name, to: self.table_name()? }
            } else {
                self.expect_word("AS")?;
                Alter::ViewQuery { name, query: self.query()? }
            }
        } else if self.take_word("DATABASE") {
            let name = self.object_name()?;
            self.expect_word("SET")?;
            Alter::Database { name, options: self.options()? }
        } else if self.take_word("CATALOG") {
            let name = self.ident()?;
            if self.take_word("SET") {
                Alter::CatalogSet { name, options: self.options()? }
            } else if self.take_word("RESET") {
                Alter::CatalogReset { name, keys: self.parenthesized(Self::string)? }
            } else {
                self.expect_word("COMMENT")?;
                Alter::CatalogComment { name, comment: self.string()?.value }
            }
        } else if self.is_word("FUNCTION") || self.is_words(&["TEMPORARY", "FUNCTION"]) {
            return Err(SqlError::new("a function is not altered in place", self.span_from(start))
                .with_hint("write CREATE OR REPLACE FUNCTION f(a INT) RETURN a + 1"));
        } else {
            return Err(self.expected("TABLE, VIEW, DATABASE or CATALOG"));
        };
        Ok(StatementKind::Alter(Box::new(alter)))
    }

    fn alter_table(&mut self) -> SqlResult<AlterTable> {
        if self.take_words(&["RENAME", "TO"]) {
            return Ok(AlterTable::RenameTo(self.table_name()?));
        }
        if self.take_word("RENAME") {
            let from = self.ident()?;
            self.expect_word("TO")?;
            return Ok(AlterTable::RenameColumn { from, to: self.ident()? });
        }
        if self.take_word("SET") {
            return Ok(AlterTable::Set(self.options()?));
        }
        if self.take_word("RESET") {
            if self.is_symbol_at(1, ")") {
                return Err(SqlError::new("RESET names at least one option", self.span()));
            }
            return Ok(AlterTable::Reset(self.parenthesized(Self::string)?));
        }
        let add = self.take_word("ADD");
        if (add || self.is_word("DROP")) && self.is_word_at(usize::from(!add), "PARTITION") {
            let message = "partitions are what the files or topics of a table have";
            return Err(SqlError::new(message, self.span())
                .with_hint("write to the table: partitions come with their first row"));
        }
        if add || self.take_word("MODIFY") {
            let elements = if self.take_symbol("(") {
                let elements = self.comma_separated(Self::element)?;
                self.expect_symbol(")")?;
                elements
            } else {
                vec![self.element()?]
            };
            return Ok(if add { AlterTable::Add(elements) } else { AlterTable::Modify(elements) });
        }
        if !self.take_word("DROP") {
            return Err(self.expected("RENAME, SET, RESET, ADD, MODIFY or DROP"));
        }
        Ok(if self.take_words(&["PRIMARY", "KEY"]) {
            AlterTable::DropPrimaryKey
        } else if self.take_word("CONSTRAINT") {
            AlterTable::DropConstraint(self.ident()?)
        } else if self.take_word("WATERMARK") {
            AlterTable::DropWatermark
        } else if self.take_word("DISTRIBUTION") {
            AlterTable::DropDistribution
        } else if self.is_symbol("(") {
            AlterTable::DropColumns(self.parenthesized(Self::ident)?)
        } else {
            AlterTable::DropColumns(vec![self.ident()?])
        })
    }

    fn element(&mut self) -> SqlResult<Element> {
        let start = self.span();
        let mut scratch = Self::new_table(crate::ast::ObjectName(Vec::new()));
        if self.is_words(&["WATERMARK", "FOR"]) {
            self.watermark(&mut scratch)?;
            return Ok(Element { kind: ElementKind::Watermark, span: self.span_from(start) });
        }
        if self.is_words(&["PRIMARY", "KEY"]) || self.is_word("CONSTRAINT") {
            self.primary_key(&mut scratch)?;
            let name = scratch.primary_key.map_or(String::new(), |key| match key.name {
                Some(name) => name.value,
                None => {
                    let columns: Vec<&str> = key.columns.iter().map(|c| c.value.as_str()).collect();
                    format!("PK_{}", columns.join("_"))
                }
            });
            return Ok(Element { kind: ElementKind::Key(name), span: self.span_from(start) });
        }
        if self.is_word("DISTRIBUTION") {
            self.distribution("DISTRIBUTION")?;
            return Ok(Element { kind: ElementKind::Distribution, span: self.span_from(start) });
        }
        let column = self.column_def(&mut scratch)?;
        let span = self.span_from(start);
        let position = if self.take_word("FIRST") {
            Position::First
        } else if self.take_word("AFTER") {
            Position::After(self.ident()?)
        } else {
            Position::AsItIs
        };
        debug_assert!(
            !matches!(column.kind, ColumnKind::Computed(_)) || scratch.primary_key.is_none()
        );
        let kind = ElementKind::Column {
            name: column.name,
            commented: column.comment.is_some(),
            keyed: scratch.primary_key.is_some(),
            position,
        };
        Ok(Element { kind, span })
    }

    /// Behind CREATE.
    pub(super) fn create_namespace(&mut self) -> SqlResult<StatementKind> {
        let catalog = self.take_word("CATALOG");
        if !catalog {
            self.expect_word("DATABASE")?;
        }
        let if_not_exists = self.take_words(&["IF", "NOT", "EXISTS"]);
        let name = self.object_name()?;
        let comment = if self.take_word("COMMENT") { Some(self.string()?.value) } else { None };
        let options = if self.take_word("WITH") { self.options()? } else { Vec::new() };
        Ok(StatementKind::Namespace(match catalog {
            true => {
                let name = name.last().clone();
                NamespaceStatement::CreateCatalog { name, if_not_exists, comment, options }
            }
            false => NamespaceStatement::CreateDatabase { name, if_not_exists, comment, options },
        }))
    }

    /// Behind DROP.
    pub(super) fn drop_namespace(&mut self) -> SqlResult<StatementKind> {
        let catalog = self.take_word("CATALOG");
        if !catalog {
            self.expect_word("DATABASE")?;
        }
        let if_exists = self.if_exists();
        let name = self.object_name()?;
        Ok(StatementKind::Namespace(match catalog {
            true => NamespaceStatement::DropCatalog { name: name.last().clone(), if_exists },
            false => {
                let cascade = self.take_word("CASCADE");
                if !cascade {
                    self.take_word("RESTRICT");
                }
                NamespaceStatement::DropDatabase { name, if_exists, cascade }
            }
        }))
    }
}
