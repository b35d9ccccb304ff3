//! `value IS [NOT] JSON [VALUE | SCALAR | ARRAY | OBJECT]`.
//! Invariant: never NULL; NULL is not JSON.

use std::sync::Arc;

use arrow_array::builder::BooleanBuilder;
use mainstem_core::{Result, TypeKind};

use super::document::{Node, parse};
use crate::functions::rowwise::{Reader, Sink, Text, extent, wrap};
use crate::functions::signature::{Want, expect};
use crate::functions::{Argument, Binding, Kernel};

/// The kind of JSON that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// Anything that is JSON.
    Value,
    /// Neither array nor object.
    Scalar,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// `argument IS [NOT] JSON kind`.
pub fn bind(argument: &Argument, kind: JsonKind, negated: bool) -> Result<Binding> {
    let arguments = expect(std::slice::from_ref(argument), &[Want::Text], 1)?;
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let text = Reader::<Text>::new(&values[0])?;
        let mut out = BooleanBuilder::with_rows(extent);
        for row in 0..extent {
            let is = text.get(row).and_then(parse).is_some_and(|node| match kind {
                JsonKind::Value => true,
                JsonKind::Scalar => node.is_scalar(),
                JsonKind::Array => matches!(node, Node::Array(_)),
                JsonKind::Object => matches!(node, Node::Object(_)),
            });
            out.append_value(is != negated);
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    let returns = TypeKind::Boolean.not_null();
    Ok(Binding { returns, arguments, kernel, deterministic: true })
}
