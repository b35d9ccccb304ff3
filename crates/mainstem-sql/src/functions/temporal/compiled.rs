//! Patterns and zones given as arguments: constants are compiled when the call is bound, others once per change.
//! Invariant: a constant that cannot be compiled is an error of the statement.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use mainstem_core::Result;

use super::pattern::{Dialect, Pattern};
use crate::functions::Argument;
use crate::functions::signature::constant_text;

/// The pattern argument of a call.
#[derive(Debug, Clone)]
pub(super) enum Patterns {
    /// The same for every row.
    Constant(Arc<Pattern>),
    /// In a column.
    Column(Dialect),
}

impl Patterns {
    /// `default` holds where the call has no pattern.
    pub(super) fn bind(
        argument: Option<&Argument>,
        default: &str,
        dialect: Dialect,
    ) -> Result<Self> {
        let text = match argument.map(constant_text) {
            None => default,
            Some(Some(Some(text))) => text,
            Some(_) => return Ok(Self::Column(dialect)),
        };
        Ok(Self::Constant(Arc::new(Pattern::compile(text, dialect)?)))
    }

    /// The patterns of a batch; `column` is the argument's, if there is one.
    pub(super) fn rows<'a>(&'a self, column: Option<&'a ArrayRef>) -> Rows<'a> {
        match (self, column) {
            (Self::Column(dialect), Some(column)) => {
                Rows::Column { dialect: *dialect, texts: column.as_string::<i32>(), last: None }
            }
            (Self::Constant(pattern), _) => Rows::Constant(pattern),
            (Self::Column(_), None) => Rows::Missing,
        }
    }
}

/// The patterns of a batch, row by row.
pub(super) enum Rows<'a> {
    Constant(&'a Pattern),
    Column { dialect: Dialect, texts: &'a StringArray, last: Option<(&'a str, Pattern)> },
    Missing,
}

impl Rows<'_> {
    /// The pattern of a row; `None` where it is NULL.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<&Pattern>> {
        match self {
            Self::Constant(pattern) => Ok(Some(pattern)),
            Self::Missing => Ok(None),
            Self::Column { texts, .. } if texts.is_null(row) => Ok(None),
            Self::Column { dialect, texts, last } => {
                let text = texts.value(row);
                if last.as_ref().is_none_or(|(known, _)| *known != text) {
                    *last = Some((text, Pattern::compile(text, *dialect)?));
                }
                Ok(last.as_ref().map(|(_, pattern)| pattern))
            }
        }
    }
}
