//! Types as written in DDL and CAST.

use mainstem_core::types::LENGTH_MAX;
use mainstem_core::{DataType, Field, TypeKind};

use super::Parser;
use crate::error::{SqlError, SqlResult};
use crate::source::Span;

impl Parser {
    /// A type with its optional NOT NULL or NULL, and ARRAY or MULTISET behind it.
    pub(super) fn data_type(&mut self) -> SqlResult<DataType> {
        self.nested(|parser| {
            let kind = parser.type_kind()?;
            let mut data_type = kind.with_null_suffix(parser)?;
            loop {
                if parser.take_word("ARRAY") {
                    data_type = TypeKind::Array(Box::new(data_type)).with_null_suffix(parser)?;
                } else if parser.take_word("MULTISET") {
                    data_type = TypeKind::Multiset(Box::new(data_type)).with_null_suffix(parser)?;
                } else {
                    return Ok(data_type);
                }
            }
        })
    }

    #[expect(clippy::too_many_lines, reason = "one arm a type reads better whole")]
    fn type_kind(&mut self) -> SqlResult<TypeKind> {
        let name = self.any_word()?;
        let upper = name.value.to_ascii_uppercase();
        Ok(match upper.as_str() {
            "CHAR" | "CHARACTER" if self.take_word("VARYING") => {
                TypeKind::Varchar { length: self.length(LENGTH_MAX)? }
            }
            "CHAR" | "CHARACTER" => TypeKind::Char { length: self.length(1)? },
            "VARCHAR" => TypeKind::Varchar { length: self.length(LENGTH_MAX)? },
            "STRING" => TypeKind::STRING,
            "BOOLEAN" | "BOOL" => TypeKind::Boolean,
            "BINARY" if self.take_word("VARYING") => {
                TypeKind::Varbinary { length: self.length(LENGTH_MAX)? }
            }
            "BINARY" => TypeKind::Binary { length: self.length(1)? },
            "VARBINARY" => TypeKind::Varbinary { length: self.length(LENGTH_MAX)? },
            "BYTES" => TypeKind::BYTES,
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal()?,
            "TINYINT" => TypeKind::TinyInt,
            "SMALLINT" => TypeKind::SmallInt,
            "INT" | "INTEGER" => TypeKind::Int,
            "BIGINT" => TypeKind::BigInt,
            "FLOAT" => TypeKind::Float,
            "DOUBLE" => {
                self.take_word("PRECISION");
                TypeKind::Double
            }
            "DATE" => TypeKind::Date,
            "TIME" => {
                let precision = self.precision(0)?;
                self.take_words(&["WITHOUT", "TIME", "ZONE"]);
                TypeKind::Time { precision }
            }
            "TIMESTAMP" => self.timestamp(name.span)?,
            "TIMESTAMP_LTZ" => TypeKind::TimestampLtz { precision: self.precision(6)? },
            "INTERVAL" => self.interval_type()?,
            "ARRAY" => TypeKind::Array(Box::new(self.one_argument()?)),
            "MULTISET" => TypeKind::Multiset(Box::new(self.one_argument()?)),
            "MAP" => {
                self.expect_symbol("<")?;
                let key = self.data_type()?;
                self.expect_symbol(",")?;
                let value = self.data_type()?;
                self.close_angle()?;
                TypeKind::Map(Box::new(key), Box::new(value))
            }
            "ROW" => self.row()?,
            "BITMAP" => TypeKind::Bitmap,
            "VARIANT" => TypeKind::Variant,
            "RAW" | "STRUCTURED" => {
                return Err(SqlError::unsupported(format!("the type {upper}"), name.span));
            }
            _ => {
                const KNOWN: &[&str] = &[
                    "CHAR",
                    "VARCHAR",
                    "STRING",
                    "BOOLEAN",
                    "BINARY",
                    "VARBINARY",
                    "BYTES",
                    "DECIMAL",
                    "TINYINT",
                    "SMALLINT",
                    "INT",
                    "BIGINT",
                    "FLOAT",
                    "DOUBLE",
                    "DATE",
                    "TIME",
                    "TIMESTAMP",
                    "TIMESTAMP_LTZ",
                    "INTERVAL",
                    "ARRAY",
                    "MULTISET",
                    "MAP",
                    "ROW",
                    "BITMAP",
                    "VARIANT",
                ];
                let error = SqlError::new(format!("unknown type '{}'", name.value), name.span);
                let near = match upper.as_str() {
                    "TEXT" => Some("STRING"),
                    "LONG" => Some("BIGINT"),
                    "DATETIME" => Some("TIMESTAMP"),
                    _ => mainstem_core::options::nearest(&upper, KNOWN.iter().copied()),
                };
                return Err(match near {
                    Some(near) => error.with_hint(format!("did you mean {near}?")),
                    None => error,
                });
            }
        })
    }

    fn bounded(&mut self, what: &str, min: u32, max: u32, default: u32) -> SqlResult<u32> {
        if !self.take_symbol("(") {
            return Ok(default);
        }
        let span = self.span();
        let value = self.unsigned()?;
        self.expect_symbol(")")?;
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            Err(SqlError::new(format!("{what} must be between {min} and {max}"), span))
        }
    }

    fn length(&mut self, default: u32) -> SqlResult<u32> {
        self.bounded("a length", 1, LENGTH_MAX, default)
    }

    fn precision(&mut self, default: u32) -> SqlResult<u8> {
        Ok(self.bounded("a precision", 0, 9, default)? as u8)
    }

    fn decimal(&mut self) -> SqlResult<TypeKind> {
        let (mut precision, mut scale) = (10, 0);
        if self.take_symbol("(") {
            let span = self.span();
            precision = self.unsigned()?;
            if self.take_symbol(",") {
                scale = self.unsigned()?;
            }
            self.expect_symbol(")")?;
            if !(1..=38).contains(&precision) || scale > precision {
                return Err(SqlError::new(
                    "a decimal has 1 to 38 digits, of which at most all are behind the point",
                    span,
                ));
            }
        }
        Ok(TypeKind::Decimal { precision: precision as u8, scale: scale as u8 })
    }

    fn timestamp(&mut self, start: Span) -> SqlResult<TypeKind> {
        let precision = self.precision(6)?;
        if self.take_words(&["WITH", "LOCAL", "TIME", "ZONE"]) {
            Ok(TypeKind::TimestampLtz { precision })
        } else if self.take_words(&["WITH", "TIME", "ZONE"]) {
            Err(SqlError::new("TIMESTAMP WITH TIME ZONE is not supported", self.span_from(start))
                .with_hint("Flink does not support it either; use TIMESTAMP_LTZ"))
        } else {
            self.take_words(&["WITHOUT", "TIME", "ZONE"]);
            Ok(TypeKind::Timestamp { precision })
        }
    }

    /// The unit of the type that comes next, if it is an INTERVAL of a single one.
    pub(super) fn single_unit(&self) -> Option<String> {
        let crate::lexer::TokenKind::Word(unit) = &self.peek_at(1).kind else { return None };
        let behind = if self.is_symbol_at(2, "(") { 5 } else { 2 };
        (self.is_word("INTERVAL") && !self.is_word_at(behind, "TO"))
            .then(|| unit.to_ascii_uppercase())
    }

    fn interval_type(&mut self) -> SqlResult<TypeKind> {
        let unit = self.any_word()?;
        self.bounded("a precision", 0, 9, 0)?;
        if self.take_word("TO") {
            self.any_word()?;
            self.bounded("a precision", 0, 9, 0)?;
        }
        Ok(match unit.value.to_ascii_uppercase().as_str() {
            "YEAR" | "QUARTER" | "MONTH" => TypeKind::IntervalYearMonth,
            "WEEK" | "DAY" | "HOUR" | "MINUTE" | "SECOND" => TypeKind::IntervalDayTime,
            _ => return Err(SqlError::new("unknown interval unit", unit.span)),
        })
    }

    fn one_argument(&mut self) -> SqlResult<DataType> {
        self.expect_symbol("<")?;
        let item = self.data_type()?;
        self.close_angle()?;
        Ok(item)
    }

    /// `>`; also the first half of a token that holds it with what follows (`>=` cannot follow a type, `<>` is an
    /// empty row).
    fn close_angle(&mut self) -> SqlResult<()> {
        self.expect_symbol(">")
    }

    fn row(&mut self) -> SqlResult<TypeKind> {
        if self.take_symbol("<>") {
            return Ok(TypeKind::Row(Vec::new()));
        }
        let close = if self.take_symbol("<") {
            ">"
        } else {
            self.expect_symbol("(")?;
            ")"
        };
        let fields = self.comma_separated(|parser| {
            let name = parser.any_word()?.value;
            let data_type = parser.data_type()?;
            if matches!(parser.peek().kind, crate::lexer::TokenKind::String(_)) {
                parser.advance();
            }
            Ok(Field { name, data_type })
        })?;
        self.expect_symbol(close)?;
        Ok(TypeKind::Row(fields))
    }
}

trait NullSuffix {
    fn with_null_suffix(self, parser: &mut Parser) -> SqlResult<DataType>;
}

impl NullSuffix for TypeKind {
    fn with_null_suffix(self, parser: &mut Parser) -> SqlResult<DataType> {
        let not_null = parser.take_words(&["NOT", "NULL"]);
        if !not_null {
            parser.take_word("NULL");
        }
        Ok(DataType { kind: self, nullable: !not_null })
    }
}
