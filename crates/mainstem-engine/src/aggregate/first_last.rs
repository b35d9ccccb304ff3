//! FIRST_VALUE and LAST_VALUE by order of arrival; NULLs are passed over, as Flink does.
//! Invariant: a group keeps one value, in arrow-row's encoding. Does not understand retraction, and does not merge:
//! partial states carry no order of arrival.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, UInt32Array, new_empty_array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::DataType as ArrowType;
use arrow_select::take::take;
use mainstem_core::{Error, Result};

use super::rows::{each_row, grow, not_mergeable, selection};
use super::{Accumulator, AggregateFunction};

/// FIRST_VALUE over `input`; `None` for a type that cannot be kept.
pub fn first_value(input: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    kept(input, false)
}

/// LAST_VALUE over `input`; `None` for a type that cannot be kept.
pub fn last_value(input: &ArrowType) -> Option<Arc<dyn AggregateFunction>> {
    kept(input, true)
}

fn kept(input: &ArrowType, last: bool) -> Option<Arc<dyn AggregateFunction>> {
    RowConverter::supports_fields(&[SortField::new(input.clone())])
        .then(|| Arc::new(Kept { input: input.clone(), last }) as Arc<dyn AggregateFunction>)
}

#[derive(Debug)]
struct Kept {
    input: ArrowType,
    last: bool,
}

impl AggregateFunction for Kept {
    fn name(&self) -> &str {
        if self.last { "LAST_VALUE" } else { "FIRST_VALUE" }
    }

    fn accumulator(&self, retractable: bool) -> Box<dyn Accumulator> {
        Box::new(KeptValues {
            input: self.input.clone(),
            last: self.last,
            retractable,
            converter: RowConverter::new(vec![SortField::new(self.input.clone())])
                .expect("the constructor has checked the type"),
            groups: Vec::new(),
            chosen: Vec::new(),
        })
    }

    fn state_types(&self) -> Option<Vec<ArrowType>> {
        None
    }
}

struct KeptValues {
    input: ArrowType,
    last: bool,
    retractable: bool,
    converter: RowConverter,
    groups: Vec<Option<Box<[u8]>>>,
    /// Scratch: the row of this batch that each group keeps, plus one.
    chosen: Vec<u32>,
}

impl Accumulator for KeptValues {
    fn update(
        &mut self,
        args: &[ArrayRef],
        groups: &[u32],
        group_count: usize,
        filter: Option<&BooleanArray>,
        weights: Option<&[i64]>,
    ) -> Result<()> {
        if self.retractable && weights.is_some_and(|w| w.iter().any(|&w| w < 0)) {
            return Err(Error::user("FIRST_VALUE and LAST_VALUE cannot take back rows")
                .with_hint("use MIN or MAX, or aggregate before the join or aggregation below"));
        }
        grow(&mut self.groups, group_count);
        grow(&mut self.chosen, group_count);
        let mask = selection(args, filter);
        let mut touched = Vec::new();
        each_row(groups, mask.as_ref(), None, |row, group, _| {
            if !self.last && self.groups[group].is_some() {
                return;
            }
            let chosen = &mut self.chosen[group];
            if *chosen == 0 {
                touched.push(group as u32);
            }
            if *chosen == 0 || self.last {
                *chosen = row as u32 + 1;
            }
        });
        let rows: UInt32Array =
            touched.iter().map(|&g| std::mem::take(&mut self.chosen[g as usize]) - 1).collect();
        let encoded = self.converter.convert_columns(&[take(&args[0], &rows, None)?])?;
        for (&group, row) in touched.iter().zip(encoded.iter()) {
            self.groups[group as usize] = Some(row.data().into());
        }
        Ok(())
    }

    fn merge(&mut self, _: &[ArrayRef], _: &[u32], _: usize) -> Result<()> {
        not_mergeable("FIRST_VALUE or LAST_VALUE")
    }

    fn state(&self, _groups: &[u32]) -> Result<Vec<ArrayRef>> {
        not_mergeable("FIRST_VALUE or LAST_VALUE")
    }

    fn finish(&self, groups: &[u32]) -> Result<ArrayRef> {
        if groups.is_empty() {
            return Ok(new_empty_array(&self.input));
        }
        let none = arrow_array::new_null_array(&self.input, 1);
        let none = self.converter.convert_columns(&[none])?;
        let parser = self.converter.parser();
        let rows = groups.iter().map(|&g| match self.groups.get(g as usize) {
            Some(Some(bytes)) => parser.parse(bytes),
            _ => none.row(0),
        });
        Ok(self.converter.convert_rows(rows)?.remove(0))
    }

    fn clear(&mut self, groups: &[u32]) {
        for &group in groups {
            if let Some(state) = self.groups.get_mut(group as usize) {
                *state = None;
            }
        }
    }

    fn size_bytes(&self) -> usize {
        let held = self.groups.iter().flatten().map(|b| b.len()).sum::<usize>();
        self.groups.capacity() * size_of::<Option<Box<[u8]>>>() + held
    }
}
