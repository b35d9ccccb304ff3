//! Declared lengths: CHAR pads with spaces, BINARY with zero bytes, everything longer is cut.
//! Invariant: lengths of strings count characters (code points), lengths of binaries count bytes.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BinaryArray};
use mainstem_core::TypeKind;
use mainstem_core::types::LENGTH_MAX;

use crate::coercion::length_of;
use crate::lift::{self, Convert};

/// What brings printed or given text to the length of `to`; `None` if every value of `from` fits as it is.
pub(super) fn fit(from: &TypeKind, to: &TypeKind) -> Option<Convert> {
    let length = length_of(to)?;
    let pad = matches!(to, TypeKind::Char { .. });
    let fits = from.is_string() && length_of(from).is_some_and(|given| given <= length);
    if !pad && (fits || length == LENGTH_MAX) {
        return None;
    }
    let length = length as usize;
    Some(Arc::new(move |array| {
        let texts = array.as_string::<i32>();
        lift::print(array.as_ref(), |row, out| push_fitted(out, texts.value(row), length, pad))
    }))
}

fn push_fitted(out: &mut Vec<u8>, text: &str, length: usize, pad: bool) {
    // Fewer bytes than characters allowed: nothing to cut, and only padding needs the exact count.
    if text.len() <= length && !pad {
        return out.extend_from_slice(text.as_bytes());
    }
    let mut taken = 0;
    let end =
        text.char_indices().inspect(|_| taken += 1).nth(length).map_or(text.len(), |(at, _)| at);
    out.extend_from_slice(&text.as_bytes()[..end]);
    if pad && end == text.len() && taken < length {
        out.resize(out.len() + length - taken, b' ');
    }
}

/// Strings (their UTF-8) and binaries to BINARY or VARBINARY.
pub(super) fn to_binary(from: &TypeKind, to: &TypeKind) -> Convert {
    let length = length_of(to).unwrap_or(LENGTH_MAX);
    let pad = matches!(to, TypeKind::Binary { .. });
    let is_string = from.is_string();
    let whole = !pad && length == LENGTH_MAX;
    Arc::new(move |array| {
        let bytes: ArrayRef = if is_string {
            Arc::new(BinaryArray::from(array.as_string::<i32>().clone()))
        } else {
            ArrayRef::clone(array)
        };
        if whole {
            return Ok(bytes);
        }
        let fitted: BinaryArray = bytes
            .as_binary::<i32>()
            .iter()
            .map(|value| value.map(|value| fit_bytes(value, length as usize, pad)))
            .collect();
        Ok(Arc::new(fitted))
    })
}

fn fit_bytes(value: &[u8], length: usize, pad: bool) -> Vec<u8> {
    let mut out = value[..value.len().min(length)].to_vec();
    if pad {
        out.resize(length, 0);
    }
    out
}
