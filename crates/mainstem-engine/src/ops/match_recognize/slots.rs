//! The values of a condition or a measure for many runs at once.
//! Invariant: the rows of a run lie one behind the other, and each variable has a part of them; so a value is found by
//! position, and only the rows that some slot names are gathered.

use arrow_array::{ArrayRef, BooleanArray, TimestampMillisecondArray, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType as ArrowType;
use arrow_select::nullif::nullif;
use mainstem_core::{Batch, Result};

use super::super::rows::Rows;
use crate::expr::EvalContext;
use crate::match_recognize::{MatchExpr, Slot};

/// No row: a variable that has not begun.
pub(super) const UNSET: u32 = u32::MAX;

/// A row of a key, by its number in the store, and its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) row: u32,
    pub(super) time: i64,
}

/// The rows that one evaluation may see.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// Of the key.
    pub(super) rows: &'a [Held],
    /// Where each variable begins, or [`UNSET`].
    pub(super) begins: &'a [u32],
    /// The row that is asked about; for measures the one behind the match.
    pub(super) at: u32,
    /// The variable it is asked for; `None` for measures.
    pub(super) asked: Option<u16>,
    /// MATCH_ROWTIME.
    pub(super) time: i64,
}

impl View<'_> {
    /// The positions of the rows of a variable.
    pub(super) fn range(&self, variable: Option<usize>) -> (u32, u32) {
        let with_current = self.at + u32::from(self.asked.is_some());
        let begin = |variable: usize| Some(self.begins[variable]).filter(|begin| *begin != UNSET);
        match variable {
            None => (begin(0).unwrap_or(self.at), with_current),
            Some(own) if self.asked.is_some_and(|asked| usize::from(asked) == own) => {
                (begin(own).unwrap_or(self.at), with_current)
            }
            Some(other) => match begin(other) {
                None => (self.at, self.at),
                Some(from) => {
                    let next = (other + 1 < self.begins.len()).then(|| begin(other + 1)).flatten();
                    (from, next.unwrap_or(self.at))
                }
            },
        }
    }

    /// The number of the row that a slot names.
    fn row(&self, variable: Option<usize>, first: bool, offset: u32) -> Option<u32> {
        let (from, to) = self.range(variable);
        if to - from <= offset {
            return None;
        }
        let position = if first { from + offset } else { to - 1 - offset };
        Some(self.rows[position as usize].row)
    }
}

/// The value of `expr` for each view; the slots of `given` are not computed.
pub(super) fn evaluate(
    expr: &MatchExpr,
    views: &[View<'_>],
    given: &[(usize, ArrayRef)],
    store: &Rows,
    cx: &EvalContext,
) -> Result<ArrayRef> {
    let value = |(at, slot): (usize, &Slot)| match given.iter().find(|(slot, _)| *slot == at) {
        Some((_, values)) => Ok(ArrayRef::clone(values)),
        None => values(slot, views, store, cx),
    };
    let columns: Vec<ArrayRef> = expr.slots.iter().enumerate().map(value).collect::<Result<_>>()?;
    expr.expr.eval(&Batch::new(columns, views.len()), cx)?.into_array(views.len())
}

fn values(slot: &Slot, views: &[View<'_>], store: &Rows, cx: &EvalContext) -> Result<ArrayRef> {
    match slot {
        Slot::Current(column) => {
            let row = |view: &View<'_>| view.rows[view.at as usize].row;
            store.gather_column(*column, &views.iter().map(row).collect::<Vec<_>>())
        }
        Slot::Row { variable, first, offset, column } => {
            let rows = views.iter().map(|view| view.row(*variable, *first, *offset));
            gather(store, *column, rows.collect())
        }
        Slot::Aggregate { variable, function, args } => {
            let (mut rows, mut groups) = (Vec::new(), Vec::new());
            for (group, view) in views.iter().enumerate() {
                let (from, to) = view.range(*variable);
                rows.extend(view.rows[from as usize..to as usize].iter().map(|held| held.row));
                groups.resize(rows.len(), group as u32);
            }
            let args: Vec<ArrayRef> =
                args.iter().map(|&c| store.gather_column(c, &rows)).collect::<Result<_>>()?;
            let mut accumulator = function.accumulator(false);
            accumulator.update(&args, &groups, views.len(), None, None)?;
            accumulator.finish(&(0..views.len() as u32).collect::<Vec<_>>())
        }
        Slot::RowTime(data_type) => {
            Ok(times(views.iter().map(|view| view.time).collect(), data_type))
        }
        Slot::ProcessingTime(data_type) => Ok(times(vec![cx.now_ms; views.len()], data_type)),
    }
}

fn times(values: Vec<i64>, data_type: &ArrowType) -> ArrayRef {
    std::sync::Arc::new(TimestampMillisecondArray::from(values).with_data_type(data_type.clone()))
}

/// A column of rows of which some are absent.
fn gather(store: &Rows, column: usize, rows: Vec<Option<u32>>) -> Result<ArrayRef> {
    let Some(any) = rows.iter().flatten().next().copied() else {
        return Ok(new_null_array(store.column_type(column), rows.len()));
    };
    let numbers: Vec<u32> = rows.iter().map(|row| row.unwrap_or(any)).collect();
    let values = store.gather_column(column, &numbers)?;
    if rows.iter().all(Option::is_some) {
        return Ok(values);
    }
    let absent: BooleanBuffer = rows.iter().map(Option::is_none).collect();
    Ok(nullif(&values, &BooleanArray::new(absent, None))?)
}
