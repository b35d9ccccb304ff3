//! AND, OR, NOT and the IS tests: three-valued logic.
//! Invariant: the IS tests never give NULL.

use std::sync::Arc;

use arrow_arith::boolean;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::{BinaryOp, UnaryOp, binding, refused};
use crate::functions::Binding;
use crate::lift;

fn is_truth(data_type: &DataType) -> bool {
    matches!(data_type.kind, TypeKind::Boolean | TypeKind::Null)
}

pub(super) fn bind(op: BinaryOp, left: &DataType, right: &DataType) -> Result<Binding> {
    if !is_truth(left) || !is_truth(right) {
        return Err(refused(op, left, right));
    }
    let combine = if op == BinaryOp::And { boolean::and_kleene } else { boolean::or_kleene };
    let kernel = lift::zipped(move |arguments| {
        Ok(Arc::new(combine(arguments[0].as_boolean(), arguments[1].as_boolean())?))
    });
    let nullable = [left, right].iter().any(|t| t.nullable || t.kind == TypeKind::Null);
    let truth = TypeKind::Boolean.nullable();
    Ok(binding(truth.with_nullable(nullable), vec![truth.clone(), truth], kernel))
}

pub(super) fn bind_unary(op: UnaryOp, operand: &DataType) -> Result<Binding> {
    match op {
        UnaryOp::IsNull => return Ok(bind_null_test(operand, true)),
        UnaryOp::IsNotNull => return Ok(bind_null_test(operand, false)),
        _ if !is_truth(operand) => {
            return Err(Error::user(format!("cannot apply {op} to {}", operand.kind)));
        }
        UnaryOp::IsUnknown => return Ok(bind_null_test(operand, true)),
        UnaryOp::IsNotUnknown => return Ok(bind_null_test(operand, false)),
        _ => {}
    }
    let truth = TypeKind::Boolean.nullable();
    if op == UnaryOp::Not {
        let kernel = lift::unary(|array| Ok(Arc::new(boolean::not(array.as_boolean())?)));
        let returns = truth.with_nullable(operand.nullable || operand.kind == TypeKind::Null);
        return Ok(binding(returns, vec![truth], kernel));
    }
    let (wanted, negated) = match op {
        UnaryOp::IsTrue => (true, false),
        UnaryOp::IsNotTrue => (true, true),
        UnaryOp::IsFalse => (false, false),
        _ => (false, true),
    };
    let kernel = lift::unary(move |array| {
        let flags = array.as_boolean();
        let matches = if wanted { flags.values().clone() } else { !flags.values() };
        let matches = match flags.nulls() {
            Some(nulls) => &matches & nulls.inner(),
            None => matches,
        };
        let matches = if negated { !&matches } else { matches };
        Ok(Arc::new(BooleanArray::new(matches, None)))
    });
    Ok(binding(TypeKind::Boolean.not_null(), vec![truth], kernel))
}

fn bind_null_test(operand: &DataType, wanted: bool) -> Binding {
    let kernel = lift::unary(move |array: &ArrayRef| {
        let answer = if wanted {
            boolean::is_null(array.as_ref())?
        } else {
            boolean::is_not_null(array.as_ref())?
        };
        Ok(Arc::new(answer))
    });
    binding(TypeKind::Boolean.not_null(), vec![operand.clone()], kernel)
}
