//! ORDER BY over bounded input.
//! Invariant: nothing comes out before the end of input; then all rows, sorted, equal ones in order of arrival.

use std::sync::Arc;

use arrow_array::UInt32Array;
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType as ArrowType, SortOptions};
use mainstem_core::{Batch, Error, Result};
use mainstem_state::table::{TableChange, TableRows, TableShape};

use super::arrivals::Arrivals;
use crate::consolidate::Consolidate;
use crate::operator::{Inputs, Operator, StepContext, cut};

const OUTPUT_ROWS: usize = 16_384;

/// The order of ORDER BY.
#[derive(Debug)]
pub(super) struct SortOrder {
    columns: Vec<usize>,
    converter: RowConverter,
}

impl SortOrder {
    /// `keys`: column, descending, NULLs first.
    pub(super) fn new(keys: &[(usize, bool, bool)], types: &[ArrowType]) -> Result<Self> {
        let field = |&(column, descending, nulls_first): &(usize, bool, bool)| {
            let options = SortOptions { descending, nulls_first };
            SortField::new_with_options(types[column].clone(), options)
        };
        let fields: Vec<SortField> = keys.iter().map(field).collect();
        if !RowConverter::supports_fields(&fields) {
            return Err(Error::user("ORDER BY a column of a type without an order"));
        }
        let columns = keys.iter().map(|key| key.0).collect();
        Ok(Self { columns, converter: RowConverter::new(fields)? })
    }

    /// The first `limit` rows of `all` in order, equal ones as they stand.
    pub(super) fn sort(&self, all: &Batch, limit: Option<u64>) -> Result<Batch> {
        let columns: Vec<_> = self.columns.iter().map(|&c| Arc::clone(all.column(c))).collect();
        let mut order: Vec<u32> = (0..all.rows() as u32).collect();
        if !columns.is_empty() {
            let encoded = self.converter.convert_columns(&columns)?;
            order.sort_by(|&a, &b| encoded.row(a as usize).cmp(&encoded.row(b as usize)));
        }
        if let Some(limit) = limit {
            order.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        all.take(&UInt32Array::from(order))
    }
}

/// Collects rows and sorts them at the end.
#[derive(Debug)]
pub(crate) struct Sort {
    order: SortOrder,
    limit: Option<u64>,
    rows: Arrivals,
    /// Leaves of a changelog what is there at the end.
    consolidate: Consolidate,
}

impl Sort {
    /// `keys`: column, descending, NULLs first.
    pub(crate) fn new(
        keys: &[(usize, bool, bool)],
        limit: Option<u64>,
        types: &[ArrowType],
    ) -> Result<Self> {
        Ok(Self {
            order: SortOrder::new(keys, types)?,
            limit,
            rows: Arrivals::default(),
            consolidate: Consolidate::new(&mainstem_core::egress::ChangelogMode::Retract, types)?,
        })
    }

    fn sorted(&mut self) -> Result<Vec<Batch>> {
        let rows = self.consolidate.apply(self.rows.take())?;
        let Some(all) = Batch::concat(&rows)? else { return Ok(Vec::new()) };
        let sorted = self.order.sort(&all, self.limit)?;
        Ok(cut(&sorted, OUTPUT_ROWS).collect())
    }
}

impl Operator for Sort {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let batches = inputs.into_iter().flat_map(|input| input.batches);
        batches.for_each(|batch| self.rows.push(batch));
        if cx.end_of_input { self.sorted() } else { Ok(Vec::new()) }
    }

    /// `rows`: all with their weights, as they came.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(vec![self.rows.save(shape())]))
    }

    fn cut(&mut self, whole: bool) -> Result<Option<Vec<TableChange>>> {
        Ok(Some(self.rows.cut(shape(), whole).into_iter().collect()))
    }

    fn hand_out(&mut self, rows: usize) -> Result<Vec<TableChange>> {
        Ok(self.rows.hand_out(shape(), rows).into_iter().collect())
    }

    fn load(&mut self, _table: &str, rows: &Batch) -> Result<()> {
        self.rows.load(rows);
        Ok(())
    }

    fn state_rows(&self) -> usize {
        self.rows.rows()
    }

    fn state_bytes(&self) -> usize {
        self.rows.size_bytes()
    }
}

/// All on one worker.
fn shape() -> TableShape {
    TableShape::keyed("rows", Vec::new())
}
