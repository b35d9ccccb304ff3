//! `JSON_QUERY(json, path [RETURNING type] [... WRAPPER] [... ON EMPTY] [... ON ERROR])`.
//! Invariant: the result is an array or an object, as JSON text or as `ARRAY<STRING>`; a scalar is EMPTY in lax mode and
//! an ERROR in strict mode unless a wrapper makes an array of it.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::document::Node;
use super::lookup::Paths;
use super::path::{Found, Mode};
use super::print::{push_node, scalar_text};
use crate::functions::rowwise::{Sink, extent, wrap};
use crate::functions::signature::partial;
use crate::functions::{Argument, Binding, Kernel};

/// WITHOUT, WITH CONDITIONAL or WITH UNCONDITIONAL ARRAY WRAPPER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrapper {
    /// The value as it is, the default.
    #[default]
    Without,
    /// An array around what is not one.
    Conditional,
    /// An array around everything; plain WITH WRAPPER.
    Unconditional,
}

/// NULL, EMPTY ARRAY, EMPTY OBJECT or ERROR, ON EMPTY or ON ERROR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryFallback {
    /// NULL, the default.
    #[default]
    Null,
    /// `[]`.
    EmptyArray,
    /// `{}`.
    EmptyObject,
    /// The statement fails.
    Error,
}

/// The clauses of a JSON_QUERY call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryOptions {
    /// RETURNING: a string type or ARRAY of one; STRING by default.
    pub returning: TypeKind,
    /// The wrapper clause.
    pub wrapper: Wrapper,
    /// What an empty result gives.
    pub on_empty: QueryFallback,
    /// What an error gives.
    pub on_error: QueryFallback,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            returning: TypeKind::STRING,
            wrapper: Wrapper::default(),
            on_empty: QueryFallback::default(),
            on_error: QueryFallback::default(),
        }
    }
}

/// JSON_QUERY with its clauses.
pub fn bind(input: &Argument, path: &Argument, options: &QueryOptions) -> Result<Binding> {
    let list = match &options.returning {
        kind if kind.is_string() => false,
        TypeKind::Array(item) if item.kind.is_string() => true,
        other => {
            return Err(Error::user(format!("JSON_QUERY cannot return {other}"))
                .with_hint("return STRING or ARRAY<STRING>"));
        }
    };
    if list && [options.on_empty, options.on_error].contains(&QueryFallback::EmptyObject) {
        return Err(Error::user("JSON_QUERY cannot return EMPTY OBJECT as an array")
            .with_hint("use EMPTY ARRAY, or return STRING"));
    }
    let (arguments, paths) = Paths::bind(input, path)?;
    let clauses = options.clone();
    let returns = if list {
        TypeKind::Array(Box::new(DataType::string()))
    } else {
        options.returning.clone()
    };
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let array = if list {
            run::<Lists>(&paths, values, extent, &clauses)?
        } else {
            run::<StringBuilder>(&paths, values, extent, &clauses)?
        };
        Ok(wrap(array, scalar))
    });
    Ok(partial(returns, arguments, kernel))
}

type Lists = ListBuilder<StringBuilder>;

/// A result column that takes JSON; false if it cannot take this value.
trait Target: Sink {
    fn put(&mut self, node: &Node<'_>) -> bool;
}

impl Target for StringBuilder {
    fn put(&mut self, node: &Node<'_>) -> bool {
        let mut text = String::new();
        push_node(&mut text, node);
        self.append_value(text);
        true
    }
}

impl Target for Lists {
    fn put(&mut self, node: &Node<'_>) -> bool {
        let Node::Array(items) = node else { return false };
        for item in items {
            self.values().append_option((*item != Node::Null).then(|| scalar_text(item)));
        }
        self.append(true);
        true
    }
}

fn run<T: Target>(
    paths: &Paths,
    values: &[mainstem_engine::expr::Value],
    rows: usize,
    clauses: &QueryOptions,
) -> Result<arrow_array::ArrayRef> {
    let mut out = T::with_rows(rows);
    paths.each_row(values, rows, |found| {
        let fallback = match found {
            None => QueryFallback::Null,
            Some((mode, Found::One(node))) => {
                let node = wrapped(node, clauses.wrapper);
                if !node.is_scalar() && out.put(&node) {
                    return Ok(());
                }
                let empty = mode == Mode::Lax && node.is_scalar();
                if empty { clauses.on_empty } else { clauses.on_error }
            }
            Some((_, Found::Nothing)) => clauses.on_empty,
            Some((_, Found::Fault)) => clauses.on_error,
        };
        match fallback {
            QueryFallback::Null => out.null(),
            QueryFallback::EmptyArray => {
                out.put(&Node::Array(Vec::new()));
            }
            QueryFallback::EmptyObject => {
                out.put(&Node::Object(Vec::new()));
            }
            QueryFallback::Error => {
                return Err(Error::user("JSON_QUERY found no array or object at its path")
                    .with_hint("use NULL or EMPTY ARRAY ON EMPTY and ON ERROR to go on"));
            }
        }
        Ok(())
    })?;
    Ok(out.finish())
}

fn wrapped<'n, 'a>(node: Cow<'n, Node<'a>>, wrapper: Wrapper) -> Cow<'n, Node<'a>> {
    let wrap = match wrapper {
        Wrapper::Without => false,
        Wrapper::Conditional => !matches!(*node, Node::Array(_)),
        Wrapper::Unconditional => true,
    };
    if wrap { Cow::Owned(Node::Array(vec![node.into_owned()])) } else { node }
}
