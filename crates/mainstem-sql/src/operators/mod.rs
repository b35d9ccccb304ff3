//! The operators of SQL: arithmetic, comparison, logic, text patterns.
//! Invariant: an operator is bound once from the types (and constants) of its operands; what it needs cast is said
//! in `Binding::arguments`, so kernels see exactly the types they were made for.

use mainstem_core::{Error, Result};

use crate::functions::{Argument, Binding};
use crate::session::Session;

/// An operator of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`, MOD
    Modulo,
    /// `=`
    Eq,
    /// `<>`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// AND
    And,
    /// OR
    Or,
    /// LIKE
    Like,
    /// NOT LIKE
    NotLike,
    /// SIMILAR TO
    SimilarTo,
    /// NOT SIMILAR TO
    NotSimilarTo,
    /// `||`
    Concat,
    /// IS DISTINCT FROM
    IsDistinctFrom,
    /// IS NOT DISTINCT FROM
    IsNotDistinctFrom,
}

/// An operator of one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `+`
    Plus,
    /// NOT
    Not,
    /// IS NULL
    IsNull,
    /// IS NOT NULL
    IsNotNull,
    /// IS TRUE
    IsTrue,
    /// IS NOT TRUE
    IsNotTrue,
    /// IS FALSE
    IsFalse,
    /// IS NOT FALSE
    IsNotFalse,
    /// IS UNKNOWN
    IsUnknown,
    /// IS NOT UNKNOWN
    IsNotUnknown,
}

/// Settles `left op right`.
pub fn bind_binary(
    op: BinaryOp,
    left: &Argument,
    right: &Argument,
    session: &Session,
) -> Result<Binding> {
    let _ = session;
    Err(Error::user(format!("cannot apply {op:?} to {} and {}", left.data_type, right.data_type)))
}

/// Settles `value LIKE pattern ESCAPE escape` and its three siblings; the binding takes all three operands.
pub fn bind_pattern(
    op: BinaryOp,
    value: &Argument,
    pattern: &Argument,
    escape: Option<&Argument>,
    session: &Session,
) -> Result<Binding> {
    let _ = escape;
    bind_binary(op, value, pattern, session)
}

/// Settles `op operand`.
pub fn bind_unary(op: UnaryOp, operand: &Argument, session: &Session) -> Result<Binding> {
    let _ = session;
    Err(Error::user(format!("cannot apply {op:?} to {}", operand.data_type)))
}
