//! What the engine knows of an expression: a batch in, an array out.
//! Invariant: an expression is pure but for [`EvalContext`]; it is shared by all workers and keeps no state.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, UInt32Array};
use arrow_select::take::take;
use mainstem_core::{Batch, Result};

/// What an expression may see beyond the row.
#[derive(Debug, Clone, Copy)]
pub struct EvalContext {
    /// The step's processing time, ms since the epoch; PROCTIME() and CURRENT_TIMESTAMP.
    pub now_ms: i64,
    /// The node's watermark before this step, for CURRENT_WATERMARK; `None` before the first one.
    pub watermark_ms: Option<i64>,
}

/// The value of an expression over a batch: one array value a row, or one value for all rows.
#[derive(Debug, Clone)]
pub enum Value {
    /// As long as the batch.
    Array(ArrayRef),
    /// Length 1; holds for every row.
    Scalar(ArrayRef),
}

impl Value {
    /// The value as an array of `rows` values.
    pub fn into_array(self, rows: usize) -> Result<ArrayRef> {
        match self {
            Value::Array(array) => Ok(array),
            Value::Scalar(one) if rows == 1 => Ok(one),
            Value::Scalar(one) => Ok(take(&one, &UInt32Array::from(vec![0u32; rows]), None)?),
        }
    }

    /// The array behind it, of the batch's length or of length 1.
    pub fn array(&self) -> &ArrayRef {
        match self {
            Value::Array(array) | Value::Scalar(array) => array,
        }
    }

    /// True for one value that holds for every row.
    pub fn is_scalar(&self) -> bool {
        matches!(self, Value::Scalar(_))
    }
}

/// A compiled scalar expression over the columns of a plan node's input.
pub trait Expr: Send + Sync + std::fmt::Debug {
    /// Evaluates over all rows of `batch`. Errors of kind `User` are about data (a failed CAST).
    fn eval(&self, batch: &Batch, cx: &EvalContext) -> Result<Value>;

    /// `Some(index)` if the expression is nothing but input column `index`: moved, not computed.
    fn as_column(&self) -> Option<usize> {
        None
    }

    /// `Some(index)` if each value is that of input column `index`, also where some values are refused.
    fn as_checked_column(&self) -> Option<usize> {
        self.as_column()
    }

    /// What is computed, as text over `columns`, which says what each column of the input is: equal only for expressions that
    /// compute the same of the same.
    fn describe(&self, columns: &[String]) -> String {
        format!("{self:?} of {columns:?}")
    }

    /// The parts that all have to be true for a boolean expression to be true, each as text as in [`Expr::describe`].
    fn conditions(&self, columns: &[String]) -> Vec<String> {
        vec![self.describe(columns)]
    }

    /// The rows for which a boolean expression is true. NULL counts as false.
    fn eval_filter(&self, batch: &Batch, cx: &EvalContext) -> Result<BooleanArray> {
        let array = self.eval(batch, cx)?.into_array(batch.rows())?;
        array
            .as_any()
            .downcast_ref::<BooleanArray>()
            .cloned()
            .ok_or_else(|| mainstem_core::Error::internal("a filter expression is not boolean"))
    }
}

/// A shared expression.
pub type ExprRef = Arc<dyn Expr>;
