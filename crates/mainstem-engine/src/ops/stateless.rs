//! Project, Filter and UnionAll.
//! Invariant: one batch out for each batch in, in order.

use std::sync::Arc;

use mainstem_core::{Batch, Error, Result};

use crate::expr::ExprRef;
use crate::operator::{Inputs, Operator, StepContext};
use mainstem_state::table::{TableRows, TableShape};

/// The table of [`Values`].
const GIVEN: &str = "given";

/// Computes columns.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) exprs: Vec<ExprRef>,
}

impl Operator for Project {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let eval = cx.eval();
        let project = |batch: Batch| {
            let column = |expr: &ExprRef| match expr.as_column() {
                Some(index) => Ok(Arc::clone(batch.column(index))),
                None => expr.eval(&batch, &eval)?.into_array(batch.rows()),
            };
            let columns = self.exprs.iter().map(column).collect::<Result<_>>()?;
            Ok(batch.with_columns(columns))
        };
        inputs.into_iter().flat_map(|input| input.batches).map(project).collect()
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(Vec::new()))
    }
}

/// Keeps the rows for which the predicate is true.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) predicate: ExprRef,
    /// Columns that are read above; `None`: all. Columns that nobody reads are not copied.
    pub(crate) keep: Option<Vec<usize>>,
}

impl Operator for Filter {
    fn step(&mut self, inputs: Inputs, cx: &mut StepContext) -> Result<Vec<Batch>> {
        let eval = cx.eval();
        let filter = |batch: Batch| {
            let mask = self.predicate.eval_filter(&batch, &eval)?;
            if mask.len() != batch.rows() {
                return Err(Error::internal("a predicate gave another number of rows"));
            }
            match &self.keep {
                Some(columns) => batch.project(columns).filter(&mask),
                None => batch.filter(&mask),
            }
        };
        inputs.into_iter().flat_map(|input| input.batches).map(filter).collect()
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(Vec::new()))
    }
}

/// All rows of all inputs.
#[derive(Debug)]
pub(crate) struct UnionAll;

impl Operator for UnionAll {
    fn step(&mut self, inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        Ok(inputs.into_iter().flat_map(|input| input.batches).collect())
    }

    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        Ok(Some(Vec::new()))
    }
}

/// Constant rows, once.
#[derive(Debug)]
pub(crate) struct Values {
    /// Taken by the first step; worker 0 holds it, the others hold nothing.
    pub(crate) batch: Option<Batch>,
}

impl Operator for Values {
    fn step(&mut self, _inputs: Inputs, _cx: &mut StepContext) -> Result<Vec<Batch>> {
        Ok(self.batch.take().into_iter().collect())
    }

    /// A row once the rows were given.
    fn save(&self) -> Result<Option<Vec<TableRows>>> {
        let given = Batch::new(Vec::new(), usize::from(self.batch.is_none()));
        Ok(Some(vec![TableShape::common(GIVEN).with_rows(vec![given])]))
    }

    fn load(&mut self, _table: &str, rows: &Batch) -> Result<()> {
        if rows.rows() > 0 {
            self.batch = None;
        }
        Ok(())
    }
}
