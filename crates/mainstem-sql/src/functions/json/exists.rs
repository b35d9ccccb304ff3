//! `JSON_EXISTS(json, path [{TRUE | FALSE | UNKNOWN | ERROR} ON ERROR])`.
//! Invariant: a JSON null at the path does not exist.

use std::sync::Arc;

use arrow_array::builder::BooleanBuilder;
use mainstem_core::{Error, Result, TypeKind};

use super::lookup::Paths;
use super::path::Found;
use crate::functions::rowwise::{Sink, extent, wrap};
use crate::functions::signature::partial;
use crate::functions::{Argument, Binding, Kernel};

/// What a path error gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExistsOnError {
    /// TRUE.
    True,
    /// FALSE, the default.
    #[default]
    False,
    /// NULL.
    Unknown,
    /// The statement fails.
    Error,
}

/// JSON_EXISTS with its clause.
pub fn bind(input: &Argument, path: &Argument, on_error: ExistsOnError) -> Result<Binding> {
    let (arguments, paths) = Paths::bind(input, path)?;
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let mut out = BooleanBuilder::with_rows(extent);
        paths.each_row(values, extent, |found| {
            out.append_option(match found.map(|(_, found)| found) {
                None => None,
                Some(Found::One(_)) => Some(true),
                Some(Found::Nothing) => Some(false),
                Some(Found::Fault) => match on_error {
                    ExistsOnError::True => Some(true),
                    ExistsOnError::False => Some(false),
                    ExistsOnError::Unknown => None,
                    ExistsOnError::Error => {
                        return Err(Error::user("JSON_EXISTS found nothing at its path")
                            .with_hint("remove ERROR ON ERROR, or begin the path with lax"));
                    }
                },
            });
            Ok(())
        })?;
        Ok(wrap(Sink::finish(out), scalar))
    });
    Ok(partial(TypeKind::Boolean, arguments, kernel))
}
