//! What JSON_EXISTS, JSON_VALUE and JSON_QUERY share: a document and a path a row.
//! Invariant: a constant path is taken apart when the call is bound. A document that is not JSON is nothing in lax mode
//! and a fault in strict mode.

use mainstem_core::{DataType, Result};

use super::document::{Node, parse};
use super::path::{Found, Mode, Path};
use crate::functions::Argument;
use crate::functions::rowwise::{Reader, Text};
use crate::functions::signature::{Want, constant_text, expect};
use mainstem_engine::expr::Value;

/// Where a call gets its path from.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    constant: Option<Path>,
}

impl Paths {
    /// The types of document and path, and the path if it is constant.
    pub(super) fn bind(input: &Argument, path: &Argument) -> Result<(Vec<DataType>, Self)> {
        let arguments = [input.clone(), path.clone()];
        let types = expect(&arguments, &[Want::Text, Want::Text], 2)?;
        let constant = constant_text(path).flatten().map(Path::parse).transpose()?;
        Ok((types, Self { constant }))
    }

    /// Follows the path of each row; `each` gets `None` where document or path is NULL.
    pub(super) fn each_row(
        &self,
        values: &[Value],
        rows: usize,
        mut each: impl FnMut(Option<(Mode, Found<'_, '_>)>) -> Result<()>,
    ) -> Result<()> {
        let documents = Reader::<Text>::new(&values[0])?;
        let paths = Reader::<Text>::new(&values[1])?;
        let mut last: Option<(&str, Path)> = None;
        for row in 0..rows {
            let (Some(document), Some(spec)) = (documents.get(row), paths.get(row)) else {
                each(None)?;
                continue;
            };
            let path = match &self.constant {
                Some(path) => path,
                None => {
                    if last.as_ref().is_none_or(|(known, _)| *known != spec) {
                        last = Some((spec, Path::parse(spec)?));
                    }
                    &last.as_ref().expect("it was just set").1
                }
            };
            let root = parse(document);
            each(Some((path.mode, look_up(path, root.as_ref()))))?;
        }
        Ok(())
    }
}

fn look_up<'n, 'a>(path: &Path, root: Option<&'n Node<'a>>) -> Found<'n, 'a> {
    match (root, path.mode) {
        (Some(root), _) => path.find(root),
        (None, Mode::Lax) => Found::Nothing,
        (None, Mode::Strict) => Found::Fault,
    }
}
