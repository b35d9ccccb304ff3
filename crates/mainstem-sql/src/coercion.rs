//! Which types stand in for others: the least common type of several, the type two operands are compared in, and
//! which casts the binder may put in by itself.
//! Invariant: pure functions of types; values are never looked at. What they answer is what Flink's planner answers.
//! Does not make casts: `cast::bind` does.

use mainstem_core::{DataType, Field, TypeKind};

/// Flink's greatest DECIMAL precision.
pub(crate) const PRECISION_MAX: u8 = 38;

/// The least type that all of `types` can be read as: CASE, COALESCE, UNION, IN, VALUES, ARRAY[..].
/// `None` if there is none. The result is nullable if any of them is; only NULLs give the type NULL.
pub fn common_type(types: &[DataType]) -> Option<DataType> {
    let (first, rest) = types.split_first()?;
    let kind = rest.iter().try_fold(first.kind.clone(), |kind, next| merge(&kind, &next.kind))?;
    let nullable = types.iter().any(|t| t.nullable || t.kind == TypeKind::Null);
    Some(DataType { kind, nullable })
}

fn common_pair(left: &DataType, right: &DataType) -> Option<DataType> {
    common_type(&[left.clone(), right.clone()])
}

fn merge(left: &TypeKind, right: &TypeKind) -> Option<TypeKind> {
    use TypeKind as K;
    if left == right {
        return Some(left.clone());
    }
    Some(match (left, right) {
        (K::Null, other) | (other, K::Null) => other.clone(),
        (l, r) if l.is_numeric() && r.is_numeric() => merge_numbers(l, r)?,
        (l, r) if l.is_string() && r.is_string() => {
            K::Varchar { length: length_of(l)?.max(length_of(r)?) }
        }
        (l, r) if l.is_binary() && r.is_binary() => {
            K::Varbinary { length: length_of(l)?.max(length_of(r)?) }
        }
        (K::Time { precision: p }, K::Time { precision: q }) => K::Time { precision: *p.max(q) },
        (K::Timestamp { precision: p }, K::Timestamp { precision: q }) => {
            K::Timestamp { precision: *p.max(q) }
        }
        (
            K::Timestamp { precision: p } | K::TimestampLtz { precision: p },
            K::Timestamp { precision: q } | K::TimestampLtz { precision: q },
        ) => K::TimestampLtz { precision: *p.max(q) },
        (K::Array(l), K::Array(r)) => K::Array(Box::new(common_pair(l, r)?)),
        (K::Multiset(l), K::Multiset(r)) => K::Multiset(Box::new(common_pair(l, r)?)),
        (K::Map(lk, lv), K::Map(rk, rv)) => {
            K::Map(Box::new(common_pair(lk, rk)?), Box::new(common_pair(lv, rv)?))
        }
        (K::Row(l), K::Row(r)) if l.len() == r.len() => K::Row(merge_fields(l, r)?),
        _ => return None,
    })
}

/// The names are the first row's.
fn merge_fields(left: &[Field], right: &[Field]) -> Option<Vec<Field>> {
    left.iter()
        .zip(right)
        .map(|(l, r)| {
            let data_type = common_pair(&l.data_type, &r.data_type)?;
            Some(Field { name: l.name.clone(), data_type })
        })
        .collect()
}

/// The type in which two different kinds of numbers meet, in arithmetic as in CASE.
pub(crate) fn merge_numbers(left: &TypeKind, right: &TypeKind) -> Option<TypeKind> {
    use TypeKind as K;
    Some(match (left, right) {
        // FLOAT and DOUBLE are equally precise to the planner: the first one stays.
        (K::Float, K::Double) => K::Float,
        (K::Double, _) | (_, K::Double) => K::Double,
        // Flink gives a FLOAT beside a DECIMAL up for a DOUBLE, and beside an integer keeps it.
        (K::Float, K::Decimal { .. }) | (K::Decimal { .. }, K::Float) => K::Double,
        (K::Float, _) | (_, K::Float) => K::Float,
        (K::Decimal { .. }, _) | (_, K::Decimal { .. }) => {
            let (p1, s1) = decimal_of(left)?;
            let (p2, s2) = decimal_of(right)?;
            let whole = (p1 - s1).max(p2 - s2).min(PRECISION_MAX);
            let scale = s1.max(s2).min(PRECISION_MAX - whole);
            K::Decimal { precision: whole + scale, scale }
        }
        _ if integer_rank(left)? >= integer_rank(right)? => left.clone(),
        _ => right.clone(),
    })
}

fn integer_rank(kind: &TypeKind) -> Option<u8> {
    match kind {
        TypeKind::TinyInt => Some(0),
        TypeKind::SmallInt => Some(1),
        TypeKind::Int => Some(2),
        TypeKind::BigInt => Some(3),
        _ => None,
    }
}

/// Precision and scale of an exact number, as DECIMAL arithmetic sees it.
pub(crate) fn decimal_of(kind: &TypeKind) -> Option<(u8, u8)> {
    match kind {
        TypeKind::TinyInt => Some((3, 0)),
        TypeKind::SmallInt => Some((5, 0)),
        TypeKind::Int => Some((10, 0)),
        TypeKind::BigInt => Some((19, 0)),
        TypeKind::Decimal { precision, scale } => Some((*precision, *scale)),
        _ => None,
    }
}

/// The declared length of a string or binary type.
pub(crate) fn length_of(kind: &TypeKind) -> Option<u32> {
    match kind {
        TypeKind::Char { length }
        | TypeKind::Varchar { length }
        | TypeKind::Binary { length }
        | TypeKind::Varbinary { length } => Some(*length),
        _ => None,
    }
}

/// True if the binder may cast `from` to `to` without being asked: a sink's column, an argument of a function.
pub fn implicit_cast_allowed(from: &DataType, to: &DataType) -> bool {
    if from.nullable && !to.nullable {
        return false;
    }
    implicit_kind_allowed(&from.kind, &to.kind)
}

fn implicit_kind_allowed(from: &TypeKind, to: &TypeKind) -> bool {
    use TypeKind as K;
    match (from, to) {
        (K::Null, _) => true,
        (f, K::Decimal { .. } | K::Double) => f.is_numeric(),
        (f, K::Float) => f.is_numeric() && *f != K::Double,
        (f, t) if f.is_integer() && t.is_integer() => integer_rank(f) <= integer_rank(t),
        (K::Char { .. }, K::Char { .. }) | (K::Binary { .. }, K::Binary { .. }) => true,
        (f, K::Varchar { .. }) => f.is_string(),
        (f, K::Varbinary { .. }) => f.is_binary(),
        (K::Timestamp { .. }, K::Date | K::Time { .. }) | (K::Time { .. }, K::Time { .. }) => true,
        (f, K::Timestamp { .. } | K::TimestampLtz { .. }) => f.is_timestamp(),
        (K::Array(f), K::Array(t)) | (K::Multiset(f), K::Multiset(t)) => {
            implicit_cast_allowed(f, t)
        }
        (K::Map(fk, fv), K::Map(tk, tv)) => {
            implicit_cast_allowed(fk, tk) && implicit_cast_allowed(fv, tv)
        }
        (K::Row(f), K::Row(t)) => {
            f.len() == t.len()
                && f.iter().zip(t).all(|(f, t)| implicit_cast_allowed(&f.data_type, &t.data_type))
        }
        (f, t) => f == t,
    }
}

/// The type in which `a` and `b` are compared, if they can be: numbers widen, a string beside a date, time or
/// timestamp is read as one. The caller decides on strings beside numbers ([`string_meets_number`]).
pub fn comparable_type(a: &DataType, b: &DataType) -> Option<DataType> {
    let nullable = a.nullable || b.nullable;
    let of = |kind: TypeKind| Some(DataType { kind, nullable });
    match (&a.kind, &b.kind) {
        (s, t) if s.is_string() && (t.is_temporal() || t.is_numeric()) => of(t.clone()),
        (t, s) if s.is_string() && (t.is_temporal() || t.is_numeric()) => of(t.clone()),
        _ => common_pair(a, b),
    }
}

/// True for a string and a number: Flink orders them as numbers but refuses to test them for equality.
pub fn string_meets_number(a: &DataType, b: &DataType) -> bool {
    (a.kind.is_string() && b.kind.is_numeric()) || (a.kind.is_numeric() && b.kind.is_string())
}
