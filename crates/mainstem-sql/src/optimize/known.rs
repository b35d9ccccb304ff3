//! Columns that a filter below has made constants: `WHERE kind = 2` decides every CASE over `kind` above it.
//! Invariant: only types whose equal values are the same value (no floating point, no decimals of other scales) are
//! replaced, and a column that stands alone stays a column.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray};
use mainstem_core::table::{FilterOp, Literal, ScanFilter};
use mainstem_core::{DataType, TypeKind};

use super::map_inputs;
use crate::bind::conjuncts;
use crate::bound::{Bound, BoundKind};
use crate::operators::BinaryOp;
use crate::rel::{Rel, RelKind};

/// Columns, and the constants they are.
pub(crate) type Known = BTreeMap<usize, Bound>;

/// Puts constants in the place of columns in every projection.
pub(super) fn substitute(rel: Rel) -> Rel {
    let rel = map_inputs(rel, &mut substitute);
    match rel.kind {
        RelKind::Project { input, exprs } => {
            let known = known(&input);
            let exprs = if known.is_empty() {
                exprs
            } else {
                exprs.iter().map(|e| with_constants(e, &known)).collect()
            };
            Rel { kind: RelKind::Project { input, exprs }, fields: rel.fields }
        }
        kind => Rel { kind, fields: rel.fields },
    }
}

/// What is known of the columns of a table whose decoder applies `filters`.
pub(crate) fn of_filters(filters: &[ScanFilter], type_of: &dyn Fn(usize) -> DataType) -> Known {
    let equal = filters.iter().filter(|f| f.op == FilterOp::Eq);
    let literal = |filter: &ScanFilter| {
        let kind = type_of(filter.column).kind;
        let value: ArrayRef = match &filter.literal {
            Literal::Integer(value) => Arc::new(Int64Array::from(vec![*value])),
            Literal::String(value) => Arc::new(StringArray::from(vec![value.as_str()])),
            Literal::Boolean(value) => Arc::new(BooleanArray::from(vec![*value])),
            Literal::Double(_) => return None,
        };
        let data_type = kind.not_null();
        let value = arrow_cast::cast(&value, &data_type.to_arrow()).ok()?;
        value.is_valid(0).then(|| (filter.column, Bound::literal(value, data_type)))
    };
    equal.filter_map(literal).collect()
}

fn known(rel: &Rel) -> Known {
    match &rel.kind {
        RelKind::Scan { table, columns, filters, .. } => {
            let of_table = of_filters(filters, &|c| table.columns[c].data_type.clone());
            let found = columns.iter().enumerate();
            found.filter_map(|(i, c)| Some((i, of_table.get(c)?.clone()))).collect()
        }
        RelKind::Filter { input, predicate } => {
            let mut known = known(input);
            let mut parts = Vec::new();
            conjuncts(predicate.clone(), &mut parts);
            known.extend(parts.iter().filter_map(equality));
            known
        }
        RelKind::Project { input, exprs } => {
            let below = known(input);
            let moved = |e: &Bound| match e.as_column() {
                Some(column) => below.get(&column).cloned(),
                None => e.as_literal().filter(|v| v.is_valid(0)).map(|_| e.clone()),
            };
            exprs.iter().enumerate().filter_map(|(i, e)| Some((i, moved(e)?))).collect()
        }
        _ => Known::new(),
    }
}

/// `column = constant`, of a type whose equal values are the same.
fn equality(part: &Bound) -> Option<(usize, Bound)> {
    let BoundKind::Call { op: Some(BinaryOp::Eq), args, .. } = &part.kind else { return None };
    let (column, literal) = match (args.first()?, args.get(1)?) {
        (a, b) if a.as_column().is_some() => (a, b),
        (b, a) => (a, b),
    };
    let exact = matches!(
        column.data_type.kind,
        TypeKind::TinyInt
            | TypeKind::SmallInt
            | TypeKind::Int
            | TypeKind::BigInt
            | TypeKind::Boolean
            | TypeKind::Varchar { .. }
    );
    let value = literal.as_literal().filter(|v| exact && v.is_valid(0))?;
    let same = *value.data_type() == column.data_type.to_arrow();
    let data_type = column.data_type.with_nullable(false);
    same.then(|| Some((column.as_column()?, Bound::literal(ArrayRef::clone(value), data_type))))?
}

/// `expr` where the columns of `known` are constants, with what that decides decided.
pub(crate) fn with_constants(expr: &Bound, known: &Known) -> Bound {
    let touched = crate::rel::columns_of(expr).iter().any(|c| known.contains_key(c));
    if !touched || expr.as_column().is_some() {
        return expr.clone();
    }
    decided(&expr.map_columns(&|c, data_type| {
        known.get(&c).cloned().unwrap_or_else(|| Bound::column(c, data_type.clone()))
    }))
}

/// Folds constants from the leaves up; branches that cannot be reached are gone.
fn decided(expr: &Bound) -> Bound {
    let expr = expr.map_children(&mut decided);
    let data_type = expr.data_type.clone();
    let as_result = |b: Bound| Bound { kind: b.kind, data_type: data_type.clone() };
    match expr.kind {
        BoundKind::Case { branches, otherwise } => {
            let mut open = Vec::new();
            let mut last = *otherwise;
            for (condition, value) in branches {
                match truth(&condition) {
                    Some(true) => {
                        last = value;
                        break;
                    }
                    Some(false) => {}
                    None => open.push((condition, value)),
                }
            }
            let same = last.data_type.to_arrow() == data_type.to_arrow();
            if open.is_empty() && same {
                return as_result(last);
            }
            let kind = BoundKind::Case { branches: open, otherwise: Box::new(last) };
            Bound { kind, data_type }
        }
        BoundKind::Logic(and, left, right) => match (truth(&left), truth(&right)) {
            (Some(l), _) if l == and && left.as_literal().is_some_and(|v| v.is_valid(0)) => {
                as_result(*right)
            }
            (Some(l), _) if l != and && left.as_literal().is_some_and(|v| v.is_valid(0)) => {
                as_result(*left)
            }
            _ => Bound { kind: BoundKind::Logic(and, left, right), data_type }.fold(),
        },
        kind => Bound { kind, data_type }.fold(),
    }
}

/// Whether a constant condition holds; NULL does not.
fn truth(condition: &Bound) -> Option<bool> {
    let value = condition.as_literal()?;
    Some(value.is_valid(0) && value.as_boolean_opt()?.value(0))
}
