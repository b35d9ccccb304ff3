//! An expression without a table: bound and computed on its own.
//! For checking functions against Flink and for everything that takes a constant.

use arrow_array::ArrayRef;
use mainstem_core::{Batch, DataType};
use mainstem_engine::expr::EvalContext;

use crate::bind::bind_constant;
use crate::error::{SqlError, SqlResult};
use crate::parser::parse_expression;
use crate::session::Session;

/// The type and the value (an array of length 1) of `text` at processing time `now_ms`.
pub fn evaluate(text: &str, session: &Session, now_ms: i64) -> SqlResult<(DataType, ArrayRef)> {
    let expr = parse_expression(text)?;
    let bound = bind_constant(session, &expr)?;
    let cx = EvalContext { now_ms, watermark_ms: None };
    let value = bound
        .eval(&Batch::new(Vec::new(), 1), &cx)
        .and_then(|v| v.into_array(1))
        .map_err(|e| SqlError::from_core(&e, expr.span))?;
    Ok((bound.data_type, value))
}
