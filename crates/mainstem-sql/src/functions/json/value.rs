//! `JSON_VALUE(json, path [RETURNING type] [... ON EMPTY] [... ON ERROR])`.
//! Invariant: the result is a scalar of the document in the type that RETURNING names; what is not there is EMPTY in lax
//! mode and an ERROR in strict mode; a value that the type cannot hold is an ERROR.

use std::sync::Arc;

use arrow_array::builder::{PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_select::interleave::interleave;
use mainstem_core::{Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use super::document::Node;
use super::lookup::Paths;
use super::path::{Found, Mode};
use super::print::scalar_text;
use crate::functions::rowwise::{extent, wrap};
use crate::functions::signature::partial;
use crate::functions::{Argument, Binding, Kernel};

/// The clauses of a JSON_VALUE call.
#[derive(Debug, Clone)]
pub struct ValueOptions {
    /// RETURNING; STRING by default.
    pub returning: TypeKind,
    /// What an empty result gives.
    pub on_empty: ValueFallback,
    /// What an error gives.
    pub on_error: ValueFallback,
}

impl Default for ValueOptions {
    fn default() -> Self {
        Self {
            returning: TypeKind::STRING,
            on_empty: ValueFallback::Null,
            on_error: ValueFallback::Null,
        }
    }
}

/// NULL, ERROR or DEFAULT value, ON EMPTY or ON ERROR.
#[derive(Debug, Clone)]
pub enum ValueFallback {
    /// NULL.
    Null,
    /// The statement fails.
    Error,
    /// The value of this expression.
    Default(Argument),
}

/// What stands at a row: the value of the document, a default, or a reason to fail.
#[derive(Clone, Copy)]
enum Outcome {
    Document,
    Empty,
    Fault,
}

/// JSON_VALUE with its clauses. The kernel's arguments are the document, the path, then the default ON EMPTY and the
/// default ON ERROR, each if there is one; `Binding::arguments` says to cast the defaults to the returned type.
pub fn bind(input: &Argument, path: &Argument, options: &ValueOptions) -> Result<Binding> {
    let returning = options.returning.clone();
    if !is_returnable(&returning) {
        let message = format!("JSON_VALUE cannot return {returning}");
        return Err(Error::user(message).with_hint(
            "return STRING, BOOLEAN, an integer or an approximate number, and CAST it",
        ));
    }
    let (mut arguments, paths) = Paths::bind(input, path)?;
    let mut default = |fallback: &ValueFallback| match fallback {
        ValueFallback::Null => Fallback::Null,
        ValueFallback::Error => Fallback::Error,
        ValueFallback::Default(argument) => {
            let nullable = argument.data_type.nullable || argument.data_type.kind == TypeKind::Null;
            arguments.push(returning.clone().nullable().with_nullable(nullable));
            Fallback::Argument(arguments.len() - 1)
        }
    };
    let (on_empty, on_error) = (default(&options.on_empty), default(&options.on_error));
    let kind = returning.clone();
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let mut outcomes = vec![Outcome::Document; extent];
        let mut column = Column::new(&kind, extent);
        let mut row = 0;
        paths.each_row(values, extent, |found| {
            outcomes[row] = column.push(found);
            row += 1;
            Ok(())
        })?;
        let array = fill(column.finish(), &outcomes, values, on_empty, on_error)?;
        Ok(wrap(array, scalar))
    });
    Ok(partial(returning, arguments, kernel))
}

fn is_returnable(kind: &TypeKind) -> bool {
    kind.is_string() || kind.is_integer() || kind.is_approximate() || *kind == TypeKind::Boolean
}

#[derive(Clone, Copy)]
enum Fallback {
    Null,
    Error,
    Argument(usize),
}

/// Puts the defaults where the document gave nothing.
fn fill(
    found: ArrayRef,
    outcomes: &[Outcome],
    values: &[Value],
    on_empty: Fallback,
    on_error: Fallback,
) -> Result<ArrayRef> {
    let mut places: Option<Vec<(usize, usize)>> = None;
    for (row, outcome) in outcomes.iter().enumerate() {
        let (fallback, what) = match outcome {
            Outcome::Document => continue,
            Outcome::Empty => (on_empty, "an empty result"),
            Outcome::Fault => (on_error, "nothing at its path, or a value of another type"),
        };
        match fallback {
            Fallback::Null => {}
            Fallback::Error => {
                return Err(Error::user(format!("JSON_VALUE found {what}"))
                    .with_hint("use NULL or DEFAULT ON EMPTY and ON ERROR to go on"));
            }
            Fallback::Argument(index) => {
                let places =
                    places.get_or_insert_with(|| (0..outcomes.len()).map(|row| (0, row)).collect());
                places[row] = (index - 1, if values[index].is_scalar() { 0 } else { row });
            }
        }
    }
    let Some(places) = places else { return Ok(found) };
    let mut sources: Vec<&dyn Array> = vec![found.as_ref()];
    sources.extend(values[2..].iter().map(|value| value.array().as_ref()));
    Ok(interleave(&sources, &places)?)
}

/// The result's column while it grows.
enum Column {
    Text(StringBuilder),
    Boolean(Vec<Option<bool>>),
    TinyInt(PrimitiveBuilder<Int8Type>),
    SmallInt(PrimitiveBuilder<Int16Type>),
    Int(PrimitiveBuilder<Int32Type>),
    BigInt(PrimitiveBuilder<Int64Type>),
    Float(PrimitiveBuilder<Float32Type>),
    Double(PrimitiveBuilder<Float64Type>),
}

impl Column {
    fn new(kind: &TypeKind, rows: usize) -> Self {
        match kind {
            TypeKind::Boolean => Self::Boolean(Vec::with_capacity(rows)),
            TypeKind::TinyInt => Self::TinyInt(PrimitiveBuilder::with_capacity(rows)),
            TypeKind::SmallInt => Self::SmallInt(PrimitiveBuilder::with_capacity(rows)),
            TypeKind::Int => Self::Int(PrimitiveBuilder::with_capacity(rows)),
            TypeKind::BigInt => Self::BigInt(PrimitiveBuilder::with_capacity(rows)),
            TypeKind::Float => Self::Float(PrimitiveBuilder::with_capacity(rows)),
            TypeKind::Double => Self::Double(PrimitiveBuilder::with_capacity(rows)),
            _ => Self::Text(StringBuilder::with_capacity(rows, rows * 16)),
        }
    }

    fn push(&mut self, found: Option<(Mode, Found<'_, '_>)>) -> Outcome {
        let outcome = match &found {
            None => Outcome::Document,
            Some((_, Found::One(node))) if node.is_scalar() => {
                return if self.store(Some(node)) { Outcome::Document } else { Outcome::Fault };
            }
            Some((Mode::Strict, Found::One(_)) | (_, Found::Fault)) => Outcome::Fault,
            Some((Mode::Lax, Found::One(_)) | (_, Found::Nothing)) => Outcome::Empty,
        };
        self.store(None);
        outcome
    }

    /// Appends the node, or NULL if there is none or it does not fit; false in the last case.
    fn store(&mut self, node: Option<&Node<'_>>) -> bool {
        match self {
            Self::Text(out) => {
                out.append_option(node.map(scalar_text));
                true
            }
            Self::Boolean(out) => {
                out.push(node.and_then(boolean));
                node.is_none() || out.last().is_some_and(Option::is_some)
            }
            Self::TinyInt(out) => store(out, node, |node| integer(node)?.try_into().ok()),
            Self::SmallInt(out) => store(out, node, |node| integer(node)?.try_into().ok()),
            Self::Int(out) => store(out, node, |node| integer(node)?.try_into().ok()),
            Self::BigInt(out) => store(out, node, |node| integer(node)?.try_into().ok()),
            Self::Float(out) => {
                store(out, node, |node| number(node)?.parse().ok().filter(|x: &f32| x.is_finite()))
            }
            Self::Double(out) => {
                store(out, node, |node| number(node)?.parse().ok().filter(|x: &f64| x.is_finite()))
            }
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut out) => Arc::new(out.finish()),
            Self::Boolean(out) => Arc::new(BooleanArray::from(out)),
            Self::TinyInt(mut out) => Arc::new(out.finish()),
            Self::SmallInt(mut out) => Arc::new(out.finish()),
            Self::Int(mut out) => Arc::new(out.finish()),
            Self::BigInt(mut out) => Arc::new(out.finish()),
            Self::Float(mut out) => Arc::new(out.finish()),
            Self::Double(mut out) => Arc::new(out.finish()),
        }
    }
}

fn store<T: ArrowPrimitiveType>(
    out: &mut PrimitiveBuilder<T>,
    node: Option<&Node<'_>>,
    convert: impl Fn(&Node<'_>) -> Option<T::Native>,
) -> bool {
    let value = node.and_then(convert);
    out.append_option(value);
    node.is_none() || value.is_some()
}

fn boolean(node: &Node<'_>) -> Option<bool> {
    match node {
        Node::Boolean(flag) => Some(*flag),
        Node::Text(text) => match text.trim().to_lowercase().as_str() {
            "true" | "t" | "yes" | "1" => Some(true),
            "false" | "f" | "no" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The text of a number, or of a string that holds one.
fn number<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    let text = match node {
        Node::Number(text) => text,
        Node::Text(text) => text.as_ref(),
        _ => return None,
    };
    let digit = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().all(digit).then_some(text)
}

/// The number with its fraction cut off.
fn integer(node: &Node<'_>) -> Option<i128> {
    let text = number(node)?;
    if let Ok(value) = text.parse::<i128>() {
        return Some(value);
    }
    text.parse::<f64>().ok().filter(|x| x.abs() < 1e30).map(|x| x as i128)
}
