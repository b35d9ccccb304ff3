//! Which aggregate functions there are, and what they return: Flink's rules.
//! Invariant: COUNT is BIGINT NOT NULL; every other result may be NULL, as a group may hold only NULLs.

use std::sync::Arc;

use mainstem_core::{DataType, TypeKind};

use super::AggregateFunction;
use super::bitmaps::bitmap_aggregate;
use super::{
    array_agg, avg, collect, count, first_value, last_value, listagg, max, min, single_value,
    squared_deviations, sum, sum0,
};

/// Finds a function by its SQL name (any case) and the types of its arguments, with its return type. `None` if there
/// is no such function or it does not take these types.
pub fn builtin(name: &str, args: &[DataType]) -> Option<(Arc<dyn AggregateFunction>, DataType)> {
    let name = name.to_ascii_uppercase();
    if name == "COUNT" {
        return Some((count(), TypeKind::BigInt.not_null()));
    }
    let input = args.first()?;
    if let (Some((function, of_numbers, cardinality)), 1) = (bitmap_aggregate(&name), args.len()) {
        let takes = match of_numbers {
            // Smaller integers are cast by the binder.
            true => TypeKind::Int,
            false => TypeKind::Bitmap,
        };
        let output = if cardinality { TypeKind::BigInt } else { TypeKind::Bitmap };
        return (input.kind == takes).then(|| (function, output.nullable()));
    }
    let arrow = input.to_arrow();
    let same = input.with_nullable(true);
    match (name.as_str(), args.len()) {
        ("SUM", 1) => Some((sum(&arrow)?, sum_type(input))),
        ("$SUM0" | "SUM0", 1) => Some((sum0(&arrow)?, sum_type(input).with_nullable(false))),
        ("AVG", 1) => {
            let output = avg_type(input);
            Some((avg(&arrow, &output.to_arrow())?, output))
        }
        ("$WELFORD_M2", 1) if input.kind == TypeKind::Double => Some((squared_deviations(), same)),
        ("MIN" | "MAX", _) if matches!(input.kind, TypeKind::Bitmap | TypeKind::Variant) => None,
        ("MIN", 1) => Some((min(&arrow)?, same)),
        ("MAX", 1) => Some((max(&arrow)?, same)),
        ("FIRST_VALUE", 1) => Some((first_value(&arrow, false)?, same)),
        ("LAST_VALUE", 1) => Some((last_value(&arrow, false)?, same)),
        ("SINGLE_VALUE", 1) => Some((single_value(&arrow)?, same)),
        ("COLLECT", 1) => {
            let output = TypeKind::Multiset(Box::new(input.clone())).not_null();
            Some((collect(&arrow, &output.to_arrow())?, output))
        }
        ("ARRAY_AGG", 1) => {
            let output = TypeKind::Array(Box::new(input.clone())).nullable();
            Some((array_agg(&arrow, &output.to_arrow(), true)?, output))
        }
        ("LISTAGG", 1 | 2) if args.iter().all(|arg| arg.kind.is_string()) => {
            Some((listagg(), DataType::string()))
        }
        _ => None,
    }
}

/// SUM(DECIMAL(p, s)) is DECIMAL(38, s); every other sum has the type of its argument.
fn sum_type(input: &DataType) -> DataType {
    match input.kind {
        TypeKind::Decimal { scale, .. } => TypeKind::Decimal { precision: 38, scale }.nullable(),
        _ => input.with_nullable(true),
    }
}

/// AVG(DECIMAL(p, s)) is DECIMAL(38, max(s, 6)); every other average has the type of its argument.
fn avg_type(input: &DataType) -> DataType {
    match input.kind {
        TypeKind::Decimal { scale, .. } => {
            TypeKind::Decimal { precision: 38, scale: scale.max(6) }.nullable()
        }
        _ => input.with_nullable(true),
    }
}
