//! TYPEOF(value [, long form]): the SQL text of a type.
//! Invariant: what it answers is known when the call is bound; the value is never looked at.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use mainstem_core::types::{LENGTH_MAX, quote_identifier};
use mainstem_core::{DataType, Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use crate::functions::signature::{Want, constant_boolean, expect};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static TYPEOF: ScalarFunction = ScalarFunction {
    name: "TYPEOF",
    aliases: &[],
    usage: "TYPEOF(value [, long])",
    doc: "The data type of the value; with TRUE without abbreviations such as STRING.",
    bind: bind_type_of,
};

fn bind_type_of(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect(arguments, &[Want::Any, Want::Boolean], 1)?;
    let long = match arguments.get(1) {
        None => false,
        Some(argument) => constant_boolean(argument)
            .ok_or_else(|| Error::user("argument 2 must be the constant TRUE or FALSE"))?,
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec![spell(&arguments[0].data_type, long)]));
    let kernel: Kernel = Arc::new(move |_, _, _| Ok(Value::Scalar(Arc::clone(&text))));
    Ok(Binding { returns: DataType::string(), arguments: types, kernel, deterministic: true })
}

/// The type as Flink prints it in full, or in short.
fn spell(data_type: &DataType, long: bool) -> String {
    let inner = |t: &DataType| spell(t, long);
    let text = match &data_type.kind {
        TypeKind::Varchar { length: LENGTH_MAX } if long => format!("VARCHAR({LENGTH_MAX})"),
        TypeKind::Varbinary { length: LENGTH_MAX } if long => format!("VARBINARY({LENGTH_MAX})"),
        TypeKind::TimestampLtz { precision } if long => {
            format!("TIMESTAMP({precision}) WITH LOCAL TIME ZONE")
        }
        TypeKind::IntervalDayTime => "INTERVAL SECOND(3)".to_string(),
        TypeKind::IntervalYearMonth => "INTERVAL MONTH".to_string(),
        TypeKind::Array(item) => format!("ARRAY<{}>", inner(item)),
        TypeKind::Multiset(item) => format!("MULTISET<{}>", inner(item)),
        TypeKind::Map(key, value) => format!("MAP<{}, {}>", inner(key), inner(value)),
        TypeKind::Row(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|f| format!("{} {}", quote_identifier(&f.name), inner(&f.data_type)))
                .collect();
            format!("ROW<{}>", fields.join(", "))
        }
        TypeKind::Null => return "NULL".to_string(),
        kind => kind.to_string(),
    };
    if data_type.nullable { text } else { format!("{text} NOT NULL") }
}
