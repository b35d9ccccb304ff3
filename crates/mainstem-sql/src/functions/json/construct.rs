//! `JSON_OBJECT([KEY key VALUE value, ...] [{NULL | ABSENT} ON NULL])` and `JSON_ARRAY([value, ...] [...])`.
//! Invariant: keys are sorted and of equal keys the last one counts; a value that is itself JSON_OBJECT, JSON_ARRAY or
//! JSON is put in as it is, every other string as a literal. Never NULL.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use mainstem_core::{DataType, Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use super::encode::{check, push_value};
use super::print::push_quoted;
use crate::functions::rowwise::{Reader, Sink, Text, extent, wrap};
use crate::functions::signature::mismatch;
use crate::functions::{Argument, Binding, Kernel};

/// NULL ON NULL or ABSENT ON NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnNull {
    /// `null` stands for NULL; the default of JSON_OBJECT.
    Null,
    /// NULL is left out; the default of JSON_ARRAY.
    Absent,
}

/// A value of a constructor.
#[derive(Debug, Clone)]
pub struct Member {
    /// What the binder knows of it.
    pub argument: Argument,
    /// True if it is a direct call of JSON_OBJECT, JSON_ARRAY or JSON: its text is JSON already.
    pub is_json: bool,
}

/// JSON_OBJECT; the kernel's arguments are key, value, key, value, ...
pub fn bind_object(pairs: &[(Argument, Member)], on_null: OnNull) -> Result<Binding> {
    let mut arguments = Vec::with_capacity(pairs.len() * 2);
    let mut members = Vec::with_capacity(pairs.len());
    for (index, (key, member)) in pairs.iter().enumerate() {
        if !key.data_type.kind.is_string() {
            return Err(mismatch(
                index * 2,
                "a string, as the key of a JSON object",
                &key.data_type,
            ));
        }
        arguments.push(key.data_type.clone());
        arguments.push(member.argument.data_type.clone());
        members.push(Form::of(member)?);
    }
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let keys: Vec<Reader<'_, Text>> =
            values.iter().step_by(2).map(Reader::new).collect::<Result<_>>()?;
        let mut out = StringBuilder::with_rows(extent);
        for row in 0..extent {
            let mut entries: BTreeMap<Vec<u16>, (&str, usize)> = BTreeMap::new();
            for (index, key) in keys.iter().enumerate() {
                let key =
                    key.get(row).ok_or_else(|| Error::user("a key of JSON_OBJECT is NULL"))?;
                if on_null == OnNull::Null || !is_null(&values[index * 2 + 1], row) {
                    entries.insert(key.encode_utf16().collect(), (key, index));
                }
            }
            let mut text = String::from("{");
            for (key, index) in entries.into_values() {
                if text.len() > 1 {
                    text.push(',');
                }
                push_quoted(&mut text, key);
                text.push(':');
                members[index].push(&mut text, &values[index * 2 + 1], row);
            }
            text.push('}');
            out.append_value(text);
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    Ok(never_null(arguments, kernel))
}

/// JSON_ARRAY.
pub fn bind_array(items: &[Member], on_null: OnNull) -> Result<Binding> {
    let arguments = items.iter().map(|item| item.argument.data_type.clone()).collect();
    let members = items.iter().map(Form::of).collect::<Result<Vec<_>>>()?;
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let mut out = StringBuilder::with_rows(extent);
        for row in 0..extent {
            let mut text = String::from("[");
            for (member, value) in members.iter().zip(values) {
                if on_null == OnNull::Absent && is_null(value, row) {
                    continue;
                }
                if text.len() > 1 {
                    text.push(',');
                }
                member.push(&mut text, value, row);
            }
            text.push(']');
            out.append_value(text);
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    Ok(never_null(arguments, kernel))
}

fn never_null(arguments: Vec<DataType>, kernel: Kernel) -> Binding {
    Binding { returns: TypeKind::STRING.not_null(), arguments, kernel, deterministic: true }
}

fn is_null(value: &Value, row: usize) -> bool {
    let array = value.array();
    array.is_null(if value.is_scalar() { 0 } else { row }) || array.data_type().is_null()
}

/// How a member is written.
enum Form {
    Json,
    Encoded(TypeKind),
}

impl Form {
    fn of(member: &Member) -> Result<Self> {
        if member.is_json {
            return Ok(Form::Json);
        }
        check(&member.argument.data_type.kind)?;
        Ok(Form::Encoded(member.argument.data_type.kind.clone()))
    }

    fn push(&self, out: &mut String, value: &Value, row: usize) {
        let row = if value.is_scalar() { 0 } else { row };
        match self {
            Form::Json if value.array().is_null(row) => out.push_str("null"),
            Form::Json => out.push_str(value.array().as_string::<i32>().value(row)),
            Form::Encoded(kind) => push_value(out, kind, value.array(), row),
        }
    }
}
