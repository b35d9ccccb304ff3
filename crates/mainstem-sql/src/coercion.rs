//! Which types stand in for others: the least common type of several, the type two operands are compared in, and
//! which casts the binder may put in by itself.
//! Invariant: pure functions of types; values are never looked at. What they answer is what Flink's planner answers.

use mainstem_core::{DataType, TypeKind};

/// The least type that all of `types` can be read as: CASE, COALESCE, UNION, IN, VALUES, ARRAY[..].
/// `None` if there is none. The result is nullable if any of them is.
pub fn common_type(types: &[DataType]) -> Option<DataType> {
    let (first, rest) = types.split_first()?;
    rest.iter().try_fold(first.clone(), |a, b| (a.kind == b.kind).then_some(a))
}

/// True if the binder may cast `from` to `to` without being asked (INSERT, function arguments).
pub fn implicit_cast_allowed(from: &DataType, to: &DataType) -> bool {
    from.kind == to.kind || from.kind == TypeKind::Null
}

/// The type in which `a` and `b` are compared, if they can be.
pub fn comparable_type(a: &DataType, b: &DataType) -> Option<DataType> {
    common_type(&[a.clone(), b.clone()])
}
