//! Flink's SQL types, and the Arrow type that carries each one.
//! Invariant: the Arrow type follows from the logical type alone, so a plan node never has to ask the data.
//!
//! | SQL | Arrow |
//! |---|---|
//! | CHAR(n), VARCHAR(n), STRING | Utf8 |
//! | BINARY(n), VARBINARY(n), BYTES | Binary |
//! | DECIMAL(p, s) | Decimal128(p, s) |
//! | DATE | Date32 (days since 1970-01-01) |
//! | TIME(p) | Time32 milliseconds (Flink keeps milliseconds too) |
//! | TIMESTAMP(0..=3 / 4..=6 / 7..=9) | Timestamp milli / micro / nanoseconds, no zone |
//! | TIMESTAMP_LTZ(p) | the same with zone "UTC" |
//! | INTERVAL YEAR TO MONTH | Interval(YearMonth) |
//! | INTERVAL DAY TO SECOND | Duration milliseconds |
//! | BITMAP | Binary: the portable format of RoaringBitmap, in its smallest form |
//! | VARIANT | Utf8: JSON with sorted keys |
//! | ROW, ARRAY, MAP, MULTISET | Struct, List, Map, Map to Int32 |

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType as ArrowType, Field as ArrowField, Fields, IntervalUnit, TimeUnit};

/// The length of STRING and BYTES, as Flink writes it.
pub const LENGTH_MAX: u32 = 2_147_483_647;

/// A logical type and whether NULL is a value of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DataType {
    /// What kind of value.
    pub kind: TypeKind,
    /// True unless declared NOT NULL.
    pub nullable: bool,
}

/// A named type: a column of a table or a field of a ROW.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// As written in the SQL, case kept.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
}

/// The kinds of values Flink SQL has. Lengths count characters or bytes; precisions count decimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "each variant is the SQL type of its name; the table in the header says how it is carried"
)]
pub enum TypeKind {
    /// The type of a bare NULL literal.
    Null,
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Char {
        length: u32,
    },
    Varchar {
        length: u32,
    },
    Binary {
        length: u32,
    },
    Varbinary {
        length: u32,
    },
    Date,
    Time {
        precision: u8,
    },
    Timestamp {
        precision: u8,
    },
    TimestampLtz {
        precision: u8,
    },
    IntervalYearMonth,
    IntervalDayTime,
    Bitmap,
    Variant,
    Array(Box<DataType>),
    Map(Box<DataType>, Box<DataType>),
    Multiset(Box<DataType>),
    Row(Vec<Field>),
}

impl TypeKind {
    /// VARCHAR of Flink's greatest length.
    pub const STRING: TypeKind = TypeKind::Varchar { length: LENGTH_MAX };
    /// VARBINARY of Flink's greatest length.
    pub const BYTES: TypeKind = TypeKind::Varbinary { length: LENGTH_MAX };

    /// This kind with NULL as a value.
    pub fn nullable(self) -> DataType {
        DataType { kind: self, nullable: true }
    }

    /// This kind without NULL.
    pub fn not_null(self) -> DataType {
        DataType { kind: self, nullable: false }
    }

    /// CHAR or VARCHAR.
    pub fn is_string(&self) -> bool {
        matches!(self, Self::Char { .. } | Self::Varchar { .. })
    }

    /// BINARY or VARBINARY.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary { .. } | Self::Varbinary { .. })
    }

    /// TINYINT to BIGINT.
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt)
    }

    /// FLOAT or DOUBLE.
    pub fn is_approximate(&self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    /// Any number.
    pub fn is_numeric(&self) -> bool {
        self.is_integer() || self.is_approximate() || matches!(self, Self::Decimal { .. })
    }

    /// TIMESTAMP or TIMESTAMP_LTZ.
    pub fn is_timestamp(&self) -> bool {
        matches!(self, Self::Timestamp { .. } | Self::TimestampLtz { .. })
    }

    /// DATE, TIME or a timestamp.
    pub fn is_temporal(&self) -> bool {
        self.is_timestamp() || matches!(self, Self::Date | Self::Time { .. })
    }

    /// An interval of either kind.
    pub fn is_interval(&self) -> bool {
        matches!(self, Self::IntervalYearMonth | Self::IntervalDayTime)
    }
}

impl DataType {
    /// STRING that may be NULL.
    pub fn string() -> Self {
        TypeKind::STRING.nullable()
    }

    /// The same kind with the given nullability.
    #[must_use]
    pub fn with_nullable(&self, nullable: bool) -> Self {
        Self { kind: self.kind.clone(), nullable }
    }

    /// The Arrow type that carries values of this type.
    pub fn to_arrow(&self) -> ArrowType {
        let list_item = |t: &DataType| Arc::new(ArrowField::new("item", t.to_arrow(), true));
        match &self.kind {
            TypeKind::Null => ArrowType::Null,
            TypeKind::Boolean => ArrowType::Boolean,
            TypeKind::TinyInt => ArrowType::Int8,
            TypeKind::SmallInt => ArrowType::Int16,
            TypeKind::Int => ArrowType::Int32,
            TypeKind::BigInt => ArrowType::Int64,
            TypeKind::Float => ArrowType::Float32,
            TypeKind::Double => ArrowType::Float64,
            TypeKind::Decimal { precision, scale } => {
                ArrowType::Decimal128(*precision, *scale as i8)
            }
            TypeKind::Char { .. } | TypeKind::Varchar { .. } => ArrowType::Utf8,
            TypeKind::Binary { .. } | TypeKind::Varbinary { .. } => ArrowType::Binary,
            TypeKind::Date => ArrowType::Date32,
            TypeKind::Time { .. } => ArrowType::Time32(TimeUnit::Millisecond),
            TypeKind::Timestamp { precision } => {
                ArrowType::Timestamp(timestamp_unit(*precision), None)
            }
            TypeKind::TimestampLtz { precision } => {
                ArrowType::Timestamp(timestamp_unit(*precision), Some("UTC".into()))
            }
            TypeKind::IntervalYearMonth => ArrowType::Interval(IntervalUnit::YearMonth),
            TypeKind::IntervalDayTime => ArrowType::Duration(TimeUnit::Millisecond),
            TypeKind::Bitmap => ArrowType::Binary,
            TypeKind::Variant => ArrowType::Utf8,
            TypeKind::Array(item) => ArrowType::List(list_item(item)),
            TypeKind::Map(key, value) => map_type(key.to_arrow(), value.to_arrow()),
            TypeKind::Multiset(item) => map_type(item.to_arrow(), ArrowType::Int32),
            TypeKind::Row(fields) => ArrowType::Struct(arrow_fields(fields)),
        }
    }
}

/// The unit that carries a timestamp of `precision` decimal digits.
pub fn timestamp_unit(precision: u8) -> TimeUnit {
    match precision {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

/// The Arrow fields of a ROW or a table; every Arrow field is nullable, NOT NULL is the planner's concern.
pub fn arrow_fields(fields: &[Field]) -> Fields {
    fields.iter().map(|f| ArrowField::new(&f.name, f.data_type.to_arrow(), true)).collect()
}

fn map_type(key: ArrowType, value: ArrowType) -> ArrowType {
    let entries = Fields::from(vec![
        ArrowField::new("key", key, false),
        ArrowField::new("value", value, true),
    ]);
    ArrowType::Map(Arc::new(ArrowField::new("entries", ArrowType::Struct(entries), false)), false)
}

/// Quotes an identifier as Flink prints it.
pub fn quote_identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl fmt::Display for TypeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            Self::Char { length } => write!(f, "CHAR({length})"),
            Self::Varchar { length: LENGTH_MAX } => f.write_str("STRING"),
            Self::Varchar { length } => write!(f, "VARCHAR({length})"),
            Self::Binary { length } => write!(f, "BINARY({length})"),
            Self::Varbinary { length: LENGTH_MAX } => f.write_str("BYTES"),
            Self::Varbinary { length } => write!(f, "VARBINARY({length})"),
            Self::Date => f.write_str("DATE"),
            Self::Time { precision } => write!(f, "TIME({precision})"),
            Self::Timestamp { precision } => write!(f, "TIMESTAMP({precision})"),
            Self::TimestampLtz { precision } => write!(f, "TIMESTAMP_LTZ({precision})"),
            Self::IntervalYearMonth => f.write_str("INTERVAL MONTH"),
            Self::IntervalDayTime => f.write_str("INTERVAL SECOND(3)"),
            Self::Bitmap => f.write_str("BITMAP"),
            Self::Variant => f.write_str("VARIANT"),
            Self::Array(item) => write!(f, "ARRAY<{item}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Multiset(item) => write!(f, "MULTISET<{item}>"),
            Self::Row(fields) => {
                f.write_str("ROW<")?;
                for (i, field) in fields.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{} {}", quote_identifier(&field.name), field.data_type)?;
                }
                f.write_str(">")
            }
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, if self.nullable { "" } else { " NOT NULL" })
    }
}
