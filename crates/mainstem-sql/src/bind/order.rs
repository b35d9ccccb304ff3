//! ORDER BY, LIMIT, OFFSET, FETCH.
//! Invariant: a key is a column of the result, by number or name, an expression over them, or, if the names are not
//! among them, an expression over the tables of the SELECT, which becomes a column that does not come out.

use mainstem_core::TypeKind;

use super::Binder;
use super::query::with_columns;
use crate::ast::{Expr, ExprKind, Query, Select, SelectItem, SetExpr};
use crate::bound::Bound;
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField, RelKind};

impl Binder<'_> {
    pub(super) fn order_and_limit(&mut self, mut rel: Rel, query: &Query) -> SqlResult<Rel> {
        let count = |e: &Option<Expr>| e.as_ref().map(constant_count).transpose();
        let (limit, offset) = (count(&query.limit)?, count(&query.offset)?.unwrap_or(0));
        let columns: Vec<usize> = (0..rel.fields.len()).collect();
        if !query.order_by.is_empty() {
            let (input, keys) = self.ordered(rel, query)?;
            let limit = if offset == 0 { limit } else { None };
            let fields = input.fields.clone();
            rel = Rel { kind: RelKind::Sort { input: Box::new(input), keys, limit }, fields };
        }
        if offset > 0 || (limit.is_some() && query.order_by.is_empty()) {
            let fields = rel.fields.clone();
            let kind = RelKind::Limit { input: Box::new(rel), offset, count: limit };
            rel = Rel { kind, fields };
        }
        Ok(rel.select(&columns))
    }

    /// `rel` with columns for the keys behind its own, and the keys.
    fn ordered(
        &mut self,
        mut rel: Rel,
        query: &Query,
    ) -> SqlResult<(Rel, Vec<(usize, bool, bool)>)> {
        let width = rel.fields.len();
        let mut keys = Vec::new();
        let mut hidden: Vec<&Expr> = Vec::new();
        for item in &query.order_by {
            keys.push(match (self.order_key(&item.expr, &rel.fields), &query.body) {
                (Ok(key), _) => Some(key),
                (Err(error), SetExpr::Select(select)) if !is_ordinal(&item.expr) => {
                    if select.distinct {
                        return Err(error.with_hint("SELECT DISTINCT is ordered by its columns"));
                    }
                    hidden.push(&item.expr);
                    None
                }
                (Err(error), _) => return Err(error),
            });
        }
        if let SetExpr::Select(select) = &query.body
            && !hidden.is_empty()
        {
            let mut items = select.items.clone();
            items.extend(hidden.iter().map(|&e| SelectItem::Expr { expr: e.clone(), alias: None }));
            rel = self.select(&Select { items, ..select.as_ref().clone() })?;
        }
        let mut places = width..rel.fields.len();
        let mut columns = Vec::with_capacity(keys.len());
        for key in keys {
            columns.push(key.unwrap_or_else(|| {
                let place = places.next().expect("one for each that is hidden");
                Bound::column(place, rel.fields[place].data_type.clone())
            }));
        }
        for (column, item) in columns.iter().zip(&query.order_by) {
            if let TypeKind::Bitmap | TypeKind::Variant = &column.data_type.kind {
                let message = format!("{} has no order", column.data_type.kind);
                return Err(SqlError::new(message, item.expr.span));
            }
        }
        let (rel, columns) = with_columns(rel, columns);
        let key = |(column, item): (usize, &crate::ast::OrderItem)| {
            // Flink: NULL is the smallest value.
            (column, item.descending, item.nulls_first.unwrap_or(!item.descending))
        };
        let keys = columns.into_iter().zip(&query.order_by).map(key).collect();
        Ok((rel, keys))
    }

    /// A key over the columns of the result.
    fn order_key(&self, expr: &Expr, fields: &[RelField]) -> SqlResult<Bound> {
        if let ExprKind::Number(text) = expr.kind.as_ref()
            && let Ok(ordinal) = text.parse::<usize>()
        {
            return match ordinal.checked_sub(1).filter(|i| *i < fields.len()) {
                Some(index) => Ok(Bound::column(index, fields[index].data_type.clone())),
                None => Err(SqlError::new(format!("there is no column {ordinal}"), expr.span)),
            };
        }
        self.expressions(fields).bind(expr)
    }
}

fn is_ordinal(expr: &Expr) -> bool {
    matches!(expr.kind.as_ref(), ExprKind::Number(_))
}

fn constant_count(expr: &Expr) -> SqlResult<u64> {
    match expr.kind.as_ref() {
        ExprKind::Number(text) => {
            text.parse().map_err(|_| SqlError::new("expected a whole number", expr.span))
        }
        _ => Err(SqlError::new("expected a whole number", expr.span)),
    }
}
