//! `||` of strings.
//! Invariant: NULL on either side is NULL; the length of the result type is the sum, as far as VARCHAR reaches.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_buffer::NullBuffer;
use mainstem_core::types::LENGTH_MAX;
use mainstem_core::{DataType, Result, TypeKind};

use super::{BinaryOp, binding, refused};
use crate::coercion::length_of;
use crate::functions::Binding;
use crate::lift::{self, TextBuilder};

pub(super) fn bind(left: &DataType, right: &DataType) -> Result<Binding> {
    let (l, r) = (&left.kind, &right.kind);
    if !l.is_string() || !r.is_string() {
        return Err(refused(BinaryOp::Concat, left, right)
            .with_hint("both sides of || are strings: CAST(x AS STRING)"));
    }
    let sum = length_of(l).zip(length_of(r)).map_or(LENGTH_MAX, |(l, r)| l.saturating_add(r));
    let length = sum.min(LENGTH_MAX);
    let kind = match (l, r) {
        (TypeKind::Char { .. }, TypeKind::Char { .. }) => TypeKind::Char { length },
        _ => TypeKind::Varchar { length },
    };
    let kernel = lift::zipped(|arguments| {
        let (left, right) = (arguments[0].as_string::<i32>(), arguments[1].as_string::<i32>());
        let nulls = NullBuffer::union(left.nulls(), right.nulls());
        let mut text = TextBuilder::new(left.len());
        for row in 0..left.len() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                text.bytes.extend_from_slice(left.value(row).as_bytes());
                text.bytes.extend_from_slice(right.value(row).as_bytes());
            }
            text.end_row();
        }
        text.finish(nulls)
    });
    let nullable = left.nullable || right.nullable;
    Ok(binding(DataType { kind, nullable }, vec![left.clone(), right.clone()], kernel))
}
