//! The operators of SQL: arithmetic, comparison, logic, text patterns.
//! Invariant: an operator is bound once from the types (and constants) of its operands; what it needs cast is said
//! in `Binding::arguments`, so kernels see exactly the types they were made for.
//! Does not short-circuit: AND and OR get both operands of every row. A binder that must not evaluate the right one
//! (`x <> 0 AND 1 / x > 0`) evaluates it on the rows that need it and hands in the rest as NULL.

mod arithmetic;
mod compare;
mod concat;
mod decimal;
mod equality;
mod interval;
mod logic;
mod pattern;
#[cfg(test)]
mod tests;

use std::fmt;

use mainstem_core::{DataType, Error, Result};

use crate::functions::{Argument, Binding, Kernel};
use crate::session::Session;

pub use interval::bind_difference;
pub(crate) use interval::move_kernel;
pub(crate) use pattern::like_matches;

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

impl fmt::Display for BinaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::And => "AND",
            Self::Or => "OR",
            Self::Like => "LIKE",
            Self::NotLike => "NOT LIKE",
            Self::SimilarTo => "SIMILAR TO",
            Self::NotSimilarTo => "NOT SIMILAR TO",
            Self::Concat => "||",
            Self::IsDistinctFrom => "IS DISTINCT FROM",
            Self::IsNotDistinctFrom => "IS NOT DISTINCT FROM",
        })
    }
}

impl fmt::Display for UnaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Negate => "-",
            Self::Plus => "+",
            Self::Not => "NOT",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
            Self::IsTrue => "IS TRUE",
            Self::IsNotTrue => "IS NOT TRUE",
            Self::IsFalse => "IS FALSE",
            Self::IsNotFalse => "IS NOT FALSE",
            Self::IsUnknown => "IS UNKNOWN",
            Self::IsNotUnknown => "IS NOT UNKNOWN",
        })
    }
}

/// Settles `left op right`.
pub fn bind_binary(
    op: BinaryOp,
    left: &Argument,
    right: &Argument,
    session: &Session,
) -> Result<Binding> {
    let (l, r) = (&left.data_type, &right.data_type);
    match op {
        BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Modulo => arithmetic::bind(op, l, r),
        BinaryOp::Eq
        | BinaryOp::NotEq
        | BinaryOp::Lt
        | BinaryOp::LtEq
        | BinaryOp::Gt
        | BinaryOp::GtEq => compare::bind(op, l, r),
        BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom => compare::bind_distinct(op, l, r),
        BinaryOp::And | BinaryOp::Or => logic::bind(op, l, r),
        BinaryOp::Concat => concat::bind(l, r),
        BinaryOp::Like | BinaryOp::NotLike | BinaryOp::SimilarTo | BinaryOp::NotSimilarTo => {
            bind_pattern(op, left, right, None, session)
        }
    }
}

/// Settles `value LIKE pattern [ESCAPE escape]` and its three siblings; the binding takes two operands, or three if
/// there is an escape.
pub fn bind_pattern(
    op: BinaryOp,
    value: &Argument,
    pattern: &Argument,
    escape: Option<&Argument>,
    _session: &Session,
) -> Result<Binding> {
    pattern::bind(op, value, pattern, escape)
}

/// Settles `op operand`.
pub fn bind_unary(op: UnaryOp, operand: &Argument, _session: &Session) -> Result<Binding> {
    match op {
        UnaryOp::Negate | UnaryOp::Plus => arithmetic::bind_sign(op, &operand.data_type),
        _ => logic::bind_unary(op, &operand.data_type),
    }
}

/// The refusal of operands that `op` does not take.
fn refused(op: impl fmt::Display, left: &DataType, right: &DataType) -> Error {
    Error::user(format!("cannot apply {op} to {} and {}", left.kind, right.kind))
}

fn binding(returns: DataType, arguments: Vec<DataType>, kernel: Kernel) -> Binding {
    Binding { returns, arguments, kernel, deterministic: true }
}
