//! FROM_CHANGELOG and TO_CHANGELOG: rows with a column that says what each one does, and back.
//! Invariant: FROM_CHANGELOG takes rows that only come and turns their codes into weights; a code that is not mapped
//! ends the job, as in Flink. TO_CHANGELOG gives rows that only come; changes that are not mapped are left out. Neither
//! keeps a time attribute.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Int64Array;
use mainstem_core::{DataType, Error, TypeKind};
use mainstem_engine::plan::ChangeCodes;

use super::window::by_name;
use super::{Binder, unknown_column};
use crate::ast::{ExprKind, Ident, TableArg, TableArgValue};
use crate::bound::{Bound, BoundKind};
use crate::error::{SqlError, SqlResult};
use crate::functions::Kernel;
use crate::functions::rowwise::{Reader, Text, extent, wrap};
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

const INSERT: &str = "INSERT";
const UPDATE_BEFORE: &str = "UPDATE_BEFORE";
const UPDATE_AFTER: &str = "UPDATE_AFTER";
const DELETE: &str = "DELETE";
const OPERATIONS: [&str; 4] = [INSERT, UPDATE_BEFORE, UPDATE_AFTER, DELETE];

/// What a call says besides its table.
struct Arguments {
    /// The column of the codes.
    op: Ident,
    /// As written, with the commas taken apart; the operations themselves if there is none.
    mapping: Option<Vec<(String, String)>>,
}

impl Binder<'_> {
    /// FROM FROM_CHANGELOG(...) and TO_CHANGELOG(...).
    pub(super) fn changelog_function(
        &mut self,
        name: &Ident,
        args: &[TableArg],
        span: Span,
    ) -> SqlResult<Rel> {
        let upper = name.value.to_ascii_uppercase();
        let named = by_name(args, &["INPUT", "OP", "OP_MAPPING"], &upper, span)?;
        let usage = format!(
            "usage: {upper}(input => TABLE t [, op => DESCRIPTOR(column)] [, op_mapping => MAP[...]])"
        );
        if let Some(column) = args.iter().find_map(|arg| arg.partition_by.first()) {
            return Err(SqlError::new(format!("{upper} takes no PARTITION BY"), column.span));
        }
        let input = match named[0] {
            Some(TableArgValue::Table(table)) => self.named(table, &[])?,
            Some(TableArgValue::Query(query)) => self.query(query)?,
            _ => {
                return Err(SqlError::new(format!("{upper} needs a table"), span).with_hint(usage));
            }
        };
        let op = match named[1] {
            None => Ident { value: "op".to_owned(), span },
            Some(TableArgValue::Descriptor(columns)) if columns.len() == 1 => columns[0].clone(),
            Some(_) => {
                let message = format!("{upper} takes one column for op");
                return Err(SqlError::new(message, span).with_hint(usage));
            }
        };
        let arguments = Arguments { op, mapping: mapping(named[2], span)? };
        match upper.as_str() {
            "FROM_CHANGELOG" => from_changelog(input, &arguments, span),
            _ => to_changelog(input, &arguments, span),
        }
    }
}

/// The pairs of MAP['a, b', 'c', ...], the keys taken apart at their commas.
fn mapping(value: Option<&TableArgValue>, span: Span) -> SqlResult<Option<Vec<(String, String)>>> {
    let Some(value) = value else { return Ok(None) };
    let refused = |span| {
        SqlError::new("op_mapping is a constant map of strings", span)
            .with_hint("write MAP['c', 'INSERT', 'd', 'DELETE']")
    };
    let TableArgValue::Expr(expr) = value else { return Err(refused(span)) };
    let ExprKind::Map(items) = expr.kind.as_ref() else { return Err(refused(expr.span)) };
    let texts: Vec<&str> = items
        .iter()
        .map(|item| match item.kind.as_ref() {
            ExprKind::String(text) => Ok(text.as_str()),
            _ => Err(refused(item.span)),
        })
        .collect::<SqlResult<_>>()?;
    if texts.is_empty() || texts.len() % 2 == 1 {
        return Err(refused(expr.span));
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in texts.chunks(2) {
        for key in pair[0].split(',').map(str::trim) {
            if pairs.iter().any(|(known, _)| known == key) {
                return Err(SqlError::new(format!("op_mapping has '{key}' twice"), expr.span));
            }
            pairs.push((key.to_owned(), pair[1].trim().to_owned()));
        }
    }
    Ok(Some(pairs))
}

fn operation(text: &str, span: Span) -> SqlResult<&'static str> {
    OPERATIONS.into_iter().find(|o| *o == text).ok_or_else(|| {
        SqlError::new(format!("'{text}' is no operation of op_mapping"), span)
            .with_hint(format!("there is {}", OPERATIONS.join(", ")))
    })
}

fn from_changelog(input: Rel, arguments: &Arguments, span: Span) -> SqlResult<Rel> {
    let op = &arguments.op;
    let Some(index) = input.fields.iter().position(|f| f.name == op.value) else {
        return Err(unknown_column(&op.value, &input.fields, op.span)
            .with_hint("op => DESCRIPTOR(column) names the column of the operations"));
    };
    let data_type = input.fields[index].data_type.clone();
    if !data_type.kind.is_string() {
        let message = format!("column '{}' of the operations is {data_type}", op.value);
        return Err(SqlError::new(message, op.span).with_hint("it must be a STRING"));
    }
    let weight = |operation: &str| match operation {
        INSERT | UPDATE_AFTER => 1,
        _ => -1,
    };
    let weights: BTreeMap<String, i64> = match &arguments.mapping {
        None => OPERATIONS.iter().map(|o| ((*o).to_owned(), weight(o))).collect(),
        Some(pairs) => {
            let named: Vec<(&String, &str)> = pairs
                .iter()
                .map(|(code, target)| Ok((code, operation(target, span)?)))
                .collect::<SqlResult<_>>()?;
            let has = |wanted| named.iter().any(|(_, o)| *o == wanted);
            if has(UPDATE_AFTER) && !has(UPDATE_BEFORE) {
                let message = "op_mapping has UPDATE_AFTER without UPDATE_BEFORE";
                return Err(SqlError::new(message, span)
                    .with_hint("Flink 2.3 takes no upserts here: map UPDATE_BEFORE too"));
            }
            named.into_iter().map(|(code, o)| (code.clone(), weight(o))).collect()
        }
    };
    let width = input.fields.len();
    let others: Vec<usize> = (0..width).filter(|&i| i != index).collect();
    let column = |&i: &usize| Bound::column(i, input.fields[i].data_type.clone());
    let mut exprs: Vec<Bound> = others.iter().map(column).collect();
    exprs.push(weighed(Bound::column(index, data_type), weights));
    let fields = plain(others.iter().map(|&i| &input.fields[i]));
    let mut weighted = fields.clone();
    weighted.push(RelField::new(&op.value, TypeKind::BigInt.not_null()));
    let kind = RelKind::Project { input: Box::new(input), exprs };
    let column = fields.len();
    let input = Box::new(Rel { kind, fields: weighted });
    Ok(Rel { kind: RelKind::Repeat { input, column, signed: true }, fields })
}

/// Columns without what they were: they belong to no table, and are no time attributes.
fn plain<'a>(fields: impl Iterator<Item = &'a RelField>) -> Vec<RelField> {
    fields.map(|f| RelField::new(&f.name, f.data_type.clone())).collect()
}

/// 1 for codes of rows that come, -1 for those of rows that go.
fn weighed(code: Bound, weights: BTreeMap<String, i64>) -> Bound {
    let kernel: Kernel = Arc::new(move |values, rows, _| {
        let (extent, scalar) = extent(values, rows);
        let codes = Reader::<Text>::new(&values[0])?;
        let weight = |row: usize| {
            let code = codes.get(row);
            code.and_then(|code| weights.get(code).copied()).ok_or_else(|| {
                let known: Vec<&str> = weights.keys().map(String::as_str).collect();
                Error::user(format!("FROM_CHANGELOG got the code '{}'", code.unwrap_or("NULL")))
                    .with_hint(format!("op_mapping has {}", known.join(", ")))
            })
        };
        let weights: Int64Array = (0..extent).map(weight).collect::<mainstem_core::Result<_>>()?;
        Ok(wrap(Arc::new(weights), scalar))
    });
    let kind = BoundKind::Call {
        name: "CHANGELOG_WEIGHT".to_owned(),
        op: None,
        args: vec![code],
        kernel,
        deterministic: true,
    };
    Bound { kind, data_type: TypeKind::BigInt.not_null() }
}

fn to_changelog(input: Rel, arguments: &Arguments, span: Span) -> SqlResult<Rel> {
    let op = &arguments.op;
    if input.fields.iter().any(|f| f.name == op.value) {
        let message = format!("the table has a column '{}' already", op.value);
        return Err(SqlError::new(message, op.span)
            .with_hint("op => DESCRIPTOR(name) gives the column of the operations another name"));
    }
    let mut codes = ChangeCodes::default();
    let mut set = |operation: &str, code: &str| {
        let place = match operation {
            INSERT => &mut codes.insert,
            UPDATE_BEFORE => &mut codes.update_before,
            UPDATE_AFTER => &mut codes.update_after,
            _ => &mut codes.delete,
        };
        *place = Some(Arc::from(code));
    };
    match &arguments.mapping {
        None => OPERATIONS.iter().for_each(|o| set(o, o)),
        Some(pairs) => {
            for (target, code) in pairs {
                set(operation(target, span)?, code);
            }
        }
    }
    let mut fields = vec![RelField::new(&op.value, DataType::string())];
    fields.extend(plain(input.fields.iter()));
    Ok(Rel { kind: RelKind::ToChangelog { input: Box::new(input), codes }, fields })
}
