//! CONCAT, CONCAT_WS, ELT.
//! Invariant: the parts are written straight into the result's buffer; no string is made in between.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::StringBuilder;
use arrow_select::interleave::interleave;
use mainstem_core::{Error, Result, TypeKind};
use mainstem_engine::expr::Value;

use crate::coercion::common_type;
use crate::functions::rowwise::{Long, Reader, Sink, Text, extent, wrap};
use crate::functions::signature::{
    Want, any_nullable, arity, expect_variadic, mismatch, partial, strict,
};
use crate::functions::{Argument, Binding, Kernel, ScalarFunction};
use crate::session::Session;

pub(super) static CONCAT: ScalarFunction = ScalarFunction {
    name: "CONCAT",
    aliases: &[],
    usage: "CONCAT(string, ...)",
    doc: "The strings one after the other; NULL if any is NULL.",
    bind: bind_concat,
};

pub(super) static CONCAT_WS: ScalarFunction = ScalarFunction {
    name: "CONCAT_WS",
    aliases: &[],
    usage: "CONCAT_WS(separator, string, ...)",
    doc: "The strings that are not NULL one after the other, with the separator between them.",
    bind: bind_concat_ws,
};

pub(super) static ELT: ScalarFunction = ScalarFunction {
    name: "ELT",
    aliases: &[],
    usage: "ELT(index, value, ...)",
    doc: "The value at the index (from 1); NULL if there is none.",
    bind: bind_elt,
};

fn texts(values: &[Value]) -> Result<Vec<Reader<'_, Text>>> {
    values.iter().map(Reader::new).collect()
}

fn bind_concat(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect_variadic(arguments, &[], Want::Text, 1)?;
    let kernel: Kernel = Arc::new(|values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let parts = texts(values)?;
        let mut out = StringBuilder::with_rows(extent);
        for row in 0..extent {
            if parts.iter().any(|part| part.is_null(row)) {
                out.append_null();
                continue;
            }
            for part in &parts {
                // Writing into a builder cannot fail.
                let _ = out.write_str(part.at(row));
            }
            out.append_value("");
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    Ok(strict(TypeKind::STRING, types, kernel))
}

/// Only a NULL separator makes the result NULL.
fn bind_concat_ws(arguments: &[Argument], _: &Session) -> Result<Binding> {
    let types = expect_variadic(arguments, &[], Want::Text, 2)?;
    let nullable = any_nullable(&types);
    let kernel: Kernel = Arc::new(|values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let parts = texts(values)?;
        let (separator, parts) = parts.split_first().expect("the binder gives two or more");
        let mut out = StringBuilder::with_rows(extent);
        for row in 0..extent {
            let Some(separator) = separator.get(row) else {
                out.append_null();
                continue;
            };
            for (index, part) in parts.iter().filter_map(|part| part.get(row)).enumerate() {
                if index > 0 {
                    let _ = out.write_str(separator);
                }
                let _ = out.write_str(part);
            }
            out.append_value("");
        }
        Ok(wrap(Sink::finish(out), scalar))
    });
    let mut binding = strict(TypeKind::STRING, types, kernel);
    binding.returns.nullable = nullable;
    Ok(binding)
}

/// The values are strings or binary strings, cast to their common type.
fn bind_elt(arguments: &[Argument], _: &Session) -> Result<Binding> {
    arity(arguments.len(), 2, None)?;
    let mut types = expect_variadic(&arguments[..1], &[], Want::Integer, 1)?;
    let given: Vec<_> = arguments[1..].iter().map(|a| a.data_type.clone()).collect();
    let shared = common_type(&given).filter(|t| t.kind.is_string() || t.kind.is_binary());
    let Some(shared) = shared else {
        return Err(mismatch(1, "strings throughout or binary strings throughout", &given[0]));
    };
    types.extend(given.iter().map(|t| shared.with_nullable(t.nullable)));
    let kernel: Kernel = Arc::new(|values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let index = Reader::<Long>::new(&values[0])?;
        Ok(wrap(pick(&index, &values[1..], extent)?, scalar))
    });
    Ok(partial(shared.kind, types, kernel))
}

fn pick(index: &Reader<'_, Long>, values: &[Value], rows: usize) -> Result<ArrayRef> {
    let none = arrow_array::new_null_array(values[0].array().data_type(), 1);
    let mut sources: Vec<&dyn arrow_array::Array> =
        values.iter().map(|v| v.array().as_ref()).collect();
    sources.push(none.as_ref());
    let places: Vec<(usize, usize)> = (0..rows)
        .map(|row| match index.get(row).and_then(|n| usize::try_from(n - 1).ok()) {
            Some(n) if n < values.len() => (n, if values[n].is_scalar() { 0 } else { row }),
            _ => (values.len(), 0),
        })
        .collect();
    interleave(&sources, &places).map_err(|e| Error::internal(e.to_string()))
}
