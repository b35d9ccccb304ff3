//! VALUES: rows of constants, or of any expressions, sub-queries among them.
//! Invariant: a column has the common type of its rows; rows of constants are one batch, others are computed.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_select::concat::concat;

use super::Binder;
use crate::ast::Expr;
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField, RelKind};
use crate::source::Span;

impl Binder<'_> {
    pub(super) fn values(&mut self, rows: &[Vec<Expr>]) -> SqlResult<Rel> {
        let width = rows[0].len();
        let written: Vec<&Expr> = rows.iter().flatten().collect();
        let around = self.subqueries_of(&written, &[])?;
        let mut binder = self.expressions(&[]);
        binder.around = around.clone();
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        for i in 0..width {
            let mut values = Vec::new();
            for row in rows {
                let Some(expr) = row.get(i).filter(|_| row.len() == width) else {
                    return Err(SqlError::new(
                        format!(
                            "this row of VALUES has {} columns, the first has {width}",
                            row.len()
                        ),
                        row[0].span,
                    ));
                };
                values.push(binder.bind(expr)?);
            }
            let span = rows[rows.len() - 1][i].span;
            let (values, data_type) = binder.unify(values, "the rows of VALUES", span)?;
            columns.push((values, span));
            fields.push(RelField::new(format!("EXPR${i}"), data_type));
        }
        let constant = |(values, _): &(Vec<Bound>, Span)| {
            values.iter().all(|value| value.as_literal().is_some())
        };
        if columns.iter().all(constant) {
            let columns = columns
                .iter()
                .zip(&fields)
                .map(|((values, span), field)| array_of(values, field, *span))
                .collect::<SqlResult<Vec<_>>>()?;
            return Ok(Rel { kind: RelKind::Values { columns, rows: rows.len() }, fields });
        }
        let mut inputs = Vec::new();
        for row in 0..rows.len() {
            let exprs = columns.iter().map(|(values, _)| values[row].clone()).collect();
            let one = RelKind::Values { columns: Vec::new(), rows: 1 };
            let one = Rel { kind: one, fields: Vec::new() };
            let (input, exprs) = self.settled(one, exprs, &around)?;
            let input = Box::new(input);
            inputs.push(Rel { kind: RelKind::Project { input, exprs }, fields: fields.clone() });
        }
        Ok(Rel { kind: RelKind::UnionAll { inputs }, fields })
    }
}

fn array_of(values: &[Bound], field: &RelField, span: Span) -> SqlResult<ArrayRef> {
    let arrow = field.data_type.to_arrow();
    let mut arrays = Vec::new();
    for literal in values.iter().filter_map(Bound::as_literal) {
        arrays.push(if literal.data_type() == &arrow {
            Arc::clone(literal)
        } else {
            arrow_cast::cast(literal, &arrow).map_err(|e| SqlError::new(e.to_string(), span))?
        });
    }
    let parts: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    concat(&parts).map_err(|e| SqlError::new(e.to_string(), span))
}
