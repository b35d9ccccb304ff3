//! CAST to INTERVAL: of a literal number by its unit, of any other integer as Flink has it, unit or not.
//! Invariant: `CAST(5 AS INTERVAL DAY)` is five days; an integer column is months or milliseconds.

use std::sync::Arc;

use arrow_array::{ArrayRef, DurationMillisecondArray, IntervalYearMonthArray};
use mainstem_core::{DataType, TypeKind};

use super::expr::ExprBinder;
use crate::ast::{Expr, ExprKind};
use crate::bound::Bound;
use crate::cast::{CastMode, unsupported};
use crate::error::{SqlError, SqlResult};
use crate::source::Span;

/// A number as written, with or without a sign.
fn is_literal_number(expr: &Expr) -> bool {
    match expr.kind.as_ref() {
        ExprKind::Number(_) => true,
        ExprKind::Negate(inner) => matches!(inner.kind.as_ref(), ExprKind::Number(_)),
        _ => false,
    }
}

impl ExprBinder<'_> {
    /// `unit` is the type's, if it has a single one.
    pub(super) fn interval_cast(
        &self,
        expr: &Expr,
        to: &DataType,
        unit: Option<&str>,
        mode: CastMode,
        span: Span,
    ) -> SqlResult<Bound> {
        let bound = self.bind(expr)?;
        let from = &bound.data_type.kind;
        if !from.is_numeric() {
            return self.cast(bound, to, mode, span);
        }
        let refused = || SqlError::from_core(&unsupported(from, &to.kind), span);
        let unit = unit.ok_or_else(|| refused().with_hint("name one unit: INTERVAL DAY"))?;
        if mode == CastMode::Try || !is_literal_number(expr) {
            return self.cast(bound, to, mode, span);
        }
        if !from.is_integer() && !matches!(from, TypeKind::Decimal { .. }) {
            return Err(refused());
        }
        let unit = self.unit(unit, span)?;
        let factor = unit.months().or(unit.milliseconds()).ok_or_else(refused)?;
        let too_long = || SqlError::new("this interval is too long", span);
        let amount = scaled(expr, factor).ok_or_else(too_long)?;
        let array: ArrayRef = match to.kind {
            // As in Flink, months wrap.
            TypeKind::IntervalYearMonth => {
                Arc::new(IntervalYearMonthArray::from(vec![amount as i32]))
            }
            _ => Arc::new(DurationMillisecondArray::from(vec![amount])),
        };
        Ok(Bound::literal(array, to.with_nullable(false)))
    }
}

/// A literal number times `factor`, cut to a whole number; `None` if it does not fit.
fn scaled(expr: &Expr, factor: i64) -> Option<i64> {
    let (sign, text) = match expr.kind.as_ref() {
        ExprKind::Number(text) => (1, text),
        ExprKind::Negate(inner) => match inner.kind.as_ref() {
            ExprKind::Number(text) => (-1, text),
            _ => return None,
        },
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let unit = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    i64::try_from(sign * digits.checked_mul(i128::from(factor))? / unit).ok()
}
