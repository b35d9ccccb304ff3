//! CREATE FUNCTION as written.

use mainstem_core::DataType;

use super::{Expr, Ident, ObjectName};
use crate::source::Span;

/// CREATE FUNCTION name (parameters) [RETURNS type] ... RETURN body.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the clauses of the statement")]
pub struct CreateFunction {
    pub name: ObjectName,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub parameters: Vec<(Ident, DataType)>,
    /// RETURNS, and where it stands.
    pub returns: Option<(DataType, Span)>,
    pub body: Expr,
}
