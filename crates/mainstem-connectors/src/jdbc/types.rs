//! Which PostgreSQL types take which SQL types, and what a created column is declared as.
//! Invariant: a pair is listed only if every value of the SQL type fits the PostgreSQL type, apart from lengths and
//! precisions, which PostgreSQL checks itself.

use mainstem_core::types::{DataType, LENGTH_MAX, TypeKind};
use mainstem_core::{Error, Result};

/// How a value is written in binary COPY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wire {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Json,
    Jsonb,
    Uuid,
    Bytea,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    /// Elements and the OID of their type.
    Array(Box<Wire>, u32),
}

/// A type as PostgreSQL's catalog has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PgType {
    pub(crate) oid: u32,
    /// `e` for an enum, `d` for a domain, `b` for a base type.
    pub(crate) kind: char,
    /// For an array the type of its elements, else 0.
    pub(crate) element_oid: u32,
    /// As `\d` shows it.
    pub(crate) text: String,
    /// The same without a length or a precision; of a domain, the type below it.
    pub(crate) name: String,
}

const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const JSON: u32 = 114;
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;
const DATE: u32 = 1082;
const TIME: u32 = 1083;
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;
const NUMERIC: u32 = 1700;
const UUID: u32 = 2950;
const JSONB: u32 = 3802;

/// How values of `from` are written to a column of type `to`; `None` if they do not fit.
pub(crate) fn wire(from: &DataType, to: &PgType) -> Option<Wire> {
    if let TypeKind::Array(item) = &from.kind {
        if to.element_oid == 0 {
            return None;
        }
        let element = PgType { oid: to.element_oid, kind: 'b', ..PgType::default() };
        let wire = wire(item, &element).filter(|w| !matches!(w, Wire::Array(..)))?;
        return Some(Wire::Array(Box::new(wire), to.element_oid));
    }
    let accepted: &[(u32, Wire)] = match &from.kind {
        TypeKind::Boolean => &[(BOOL, Wire::Bool)],
        TypeKind::TinyInt | TypeKind::SmallInt => &[
            (INT2, Wire::Int2),
            (INT4, Wire::Int4),
            (INT8, Wire::Int8),
            (NUMERIC, Wire::Numeric),
            (FLOAT4, Wire::Float4),
            (FLOAT8, Wire::Float8),
        ],
        TypeKind::Int => &[
            (INT4, Wire::Int4),
            (INT8, Wire::Int8),
            (NUMERIC, Wire::Numeric),
            (FLOAT8, Wire::Float8),
        ],
        TypeKind::BigInt => &[(INT8, Wire::Int8), (NUMERIC, Wire::Numeric)],
        TypeKind::Float => &[(FLOAT4, Wire::Float4), (FLOAT8, Wire::Float8)],
        TypeKind::Double => &[(FLOAT8, Wire::Float8)],
        TypeKind::Decimal { .. } => &[(NUMERIC, Wire::Numeric)],
        TypeKind::Char { .. } | TypeKind::Varchar { .. } => {
            if to.kind == 'e' {
                return Some(Wire::Text);
            }
            &[
                (TEXT, Wire::Text),
                (VARCHAR, Wire::Text),
                (BPCHAR, Wire::Text),
                (JSON, Wire::Json),
                (JSONB, Wire::Jsonb),
                (UUID, Wire::Uuid),
            ]
        }
        TypeKind::Binary { .. } | TypeKind::Varbinary { .. } => &[(BYTEA, Wire::Bytea)],
        TypeKind::Date => &[(DATE, Wire::Date)],
        TypeKind::Time { .. } => &[(TIME, Wire::Time)],
        TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. } => {
            &[(TIMESTAMP, Wire::Timestamp), (TIMESTAMPTZ, Wire::TimestampTz)]
        }
        _ => &[],
    };
    accepted.iter().find(|(oid, _)| *oid == to.oid).map(|(_, wire)| wire.clone())
}

/// How values of a column of type `from` come, if they can be read as `to`; `None` if not. A value may still be too
/// large for `to`.
pub(crate) fn readable(to: &DataType, from: &PgType) -> Option<Wire> {
    if let Some(wire) = wire(to, from) {
        let integer = matches!(to.kind, TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int);
        let float = matches!(wire, Wire::Float4 | Wire::Float8);
        return Some(wire).filter(|_| !(integer && float));
    }
    let accepted: &[(u32, Wire)] = match &to.kind {
        TypeKind::Int => &[(INT2, Wire::Int2)],
        TypeKind::BigInt => &[(INT2, Wire::Int2), (INT4, Wire::Int4)],
        TypeKind::Double => &[(FLOAT4, Wire::Float4)],
        _ => &[],
    };
    accepted.iter().find(|(oid, _)| *oid == from.oid).map(|(_, wire)| wire.clone())
}

/// How a key of type `from` is sent to be compared with a column of type `to`: the element type of its array, that
/// type's name in SQL and its OID. As `to` where all values fit, so that its index is used, else as what it is itself.
pub(crate) fn compared(from: &DataType, to: &PgType) -> Option<(Wire, String, u32)> {
    if matches!(from.kind, TypeKind::Array(_)) || matches!(to.oid, JSON | JSONB) {
        return None;
    }
    if let Some(wire) = wire(from, to) {
        // As a name `character` is one character long.
        let name = if to.oid == BPCHAR { "bpchar".to_owned() } else { to.name.clone() };
        return Some((wire, name, to.oid));
    }
    let (wire, name, oid) = match &from.kind {
        TypeKind::TinyInt | TypeKind::SmallInt => (Wire::Int2, "smallint", INT2),
        TypeKind::Int => (Wire::Int4, "integer", INT4),
        TypeKind::BigInt => (Wire::Int8, "bigint", INT8),
        TypeKind::Float => (Wire::Float4, "real", FLOAT4),
        TypeKind::Double => (Wire::Float8, "double precision", FLOAT8),
        _ => return None,
    };
    readable(from, to).map(|_| (wire, name.to_owned(), oid))
}

/// The type of a column that is created for `data_type`.
pub(crate) fn declared(name: &str, data_type: &DataType) -> Result<String> {
    Ok(match &data_type.kind {
        TypeKind::Boolean => "boolean".to_owned(),
        TypeKind::TinyInt | TypeKind::SmallInt => "smallint".to_owned(),
        TypeKind::Int => "integer".to_owned(),
        TypeKind::BigInt => "bigint".to_owned(),
        TypeKind::Float => "real".to_owned(),
        TypeKind::Double => "double precision".to_owned(),
        TypeKind::Decimal { precision, scale } => format!("numeric({precision},{scale})"),
        TypeKind::Char { length } => format!("character({length})"),
        TypeKind::Varchar { length: LENGTH_MAX } => "text".to_owned(),
        // PostgreSQL's own limit; longer ones need no limit at all.
        TypeKind::Varchar { length } if *length > 10_485_760 => "text".to_owned(),
        TypeKind::Varchar { length } => format!("character varying({length})"),
        TypeKind::Binary { .. } | TypeKind::Varbinary { .. } => "bytea".to_owned(),
        TypeKind::Date => "date".to_owned(),
        TypeKind::Time { precision } => format!("time({})", (*precision).min(6)),
        TypeKind::Timestamp { precision } => format!("timestamp({})", (*precision).min(6)),
        TypeKind::TimestampLtz { precision } => {
            format!("timestamp({}) with time zone", (*precision).min(6))
        }
        TypeKind::Array(item) if !matches!(item.kind, TypeKind::Array(_)) => {
            format!("{}[]", declared(name, item)?)
        }
        other => {
            return Err(Error::user(format!(
                "column '{name}' has the type {other}, which PostgreSQL has no column for"
            ))
            .with_hint("write it as STRING, for example with JSON_STRING(...)"));
        }
    })
}
