//! From a field's type and options to the node that makes it.
//! Invariant: every value a node can make fits its type; bounds that do not are refused here.

use arrow_schema::DataType as ArrowType;
use mainstem_core::options::parse_duration_ms;
use mainstem_core::types::{LENGTH_MAX, arrow_fields};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::leaves::{
    Decimals, Floats, Integers, PastMoments, RandomBooleans, RandomBytes, RandomTexts, Sequence,
};
use crate::generator::columns::{Leaf, Lengths, Node, Shape, integer_range, path_seed};
use crate::generator::fields::FieldPath;

const TEXT_LENGTH_DEFAULT: u32 = 100;
const COLLECTION_LENGTH_DEFAULT: u32 = 3;
const LENGTH_LIMIT: u32 = 1 << 20;
const INTERVAL_MONTHS_MAX: i64 = 120_000;
const INTERVAL_MS_MAX: i64 = 10_000 * 86_400_000;

/// The node of a field and all that is nested in it; `rows_max` becomes the length of the shortest sequence.
pub(super) fn node(
    path: &FieldPath<'_>,
    data_type: &DataType,
    seed: u64,
    rows_max: &mut Option<u64>,
) -> Result<Node> {
    let null_rate = path.null_rate()?;
    let shape = match path.text("kind").map(str::to_ascii_lowercase).as_deref() {
        None | Some("random") => random(path, data_type, seed, rows_max)?,
        Some("sequence") => sequence(path, data_type, rows_max)?,
        Some(other) => return Err(path.invalid("kind", other, "one of random, sequence")),
    };
    Ok(Node { seed: path_seed(seed, path.path()), null_rate, shape })
}

fn random(
    path: &FieldPath<'_>,
    data_type: &DataType,
    seed: u64,
    rows_max: &mut Option<u64>,
) -> Result<Shape> {
    let mut inner = None;
    let mut element = |name: &str, t: &DataType| -> Result<Box<Node>> {
        Ok(Box::new(node(&path.nested(name), t, seed, &mut inner)?))
    };
    let shape = match (&data_type.kind, data_type.to_arrow()) {
        (TypeKind::Row(fields), _) => {
            let nodes =
                fields.iter().map(|f| node(&path.nested(&f.name), &f.data_type, seed, rows_max));
            return Ok(Shape::Row(arrow_fields(fields), nodes.collect::<Result<_>>()?));
        }
        (TypeKind::Array(item), ArrowType::List(field)) => {
            Shape::List(field, element("element", item)?, collection_length(path)?)
        }
        (TypeKind::Map(key, value), ArrowType::Map(entries, _)) => {
            let (key, value) = (element("key", key)?, element("value", value)?);
            if key.null_rate > 0.0 {
                return Err(path.nested("key").invalid("null-rate", "> 0", "0: keys are not null"));
            }
            Shape::Map(entries, key, value, collection_length(path)?)
        }
        (TypeKind::Multiset(item), ArrowType::Map(entries, _)) => {
            Shape::Multiset(entries, element("element", item)?, collection_length(path)?)
        }
        (kind, _) => return Ok(Shape::Leaf(random_leaf(path, kind)?)),
    };
    match inner {
        None => Ok(shape),
        Some(_) => Err(Error::user(format!("'{}' has a sequence in a collection", path.path()))
            .with_hint("sequences count rows: use one in a column or in a field of a ROW")),
    }
}

fn random_leaf(path: &FieldPath<'_>, kind: &TypeKind) -> Result<Box<dyn Leaf>> {
    Ok(match kind {
        TypeKind::Boolean => Box::new(RandomBooleans),
        TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt => {
            let (min, max) = integer_range(kind).unwrap_or((i64::MIN, i64::MAX));
            Box::new(integers(path, kind, (min, max), (min, max))?)
        }
        TypeKind::IntervalYearMonth => {
            let range = (0, i64::from(i32::MAX));
            Box::new(integers(path, kind, (0, INTERVAL_MONTHS_MAX), range)?)
        }
        TypeKind::IntervalDayTime => {
            Box::new(integers(path, kind, (0, INTERVAL_MS_MAX), (0, i64::MAX))?)
        }
        TypeKind::Float => Box::new(floats(path, kind, f64::from(f32::MAX))?),
        TypeKind::Double => Box::new(floats(path, kind, f64::MAX)?),
        TypeKind::Decimal { precision, scale } => Box::new(decimals(path, *precision, *scale)?),
        TypeKind::Char { length } => Box::new(RandomTexts::new(*length, *length)),
        TypeKind::Binary { length } => Box::new(RandomBytes::new(*length, *length)),
        TypeKind::Varchar { length } => {
            let (min, max) = text_length(path, *length)?;
            Box::new(RandomTexts::new(min, max))
        }
        TypeKind::Varbinary { length } => {
            let (min, max) = text_length(path, *length)?;
            Box::new(RandomBytes::new(min, max))
        }
        TypeKind::Date | TypeKind::Time { .. } => Box::new(PastMoments::new(kind, 0)),
        TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. } => {
            let text = path.text("max-past").unwrap_or("0");
            let max_past = parse_duration_ms(&path.key("max-past"), text)?;
            Box::new(PastMoments::new(kind, max_past))
        }
        other => {
            return Err(Error::user(format!("field '{}': datagen makes no {other}", path.path())));
        }
    })
}

fn integers(
    path: &FieldPath<'_>,
    kind: &TypeKind,
    default: (i64, i64),
    range: (i64, i64),
) -> Result<Integers> {
    let wanted = format!("a whole number from {} to {}", range.0, range.1);
    let bound = |option: &str, default: i64| -> Result<i64> {
        let value = path.parsed(option, &wanted)?.unwrap_or(default);
        if value < range.0 || value > range.1 {
            return Err(path.invalid(option, &value.to_string(), &wanted));
        }
        Ok(value)
    };
    let (min, max) = (bound("min", default.0)?, bound("max", default.1)?);
    ordered(path, min <= max)?;
    Ok(Integers::new(kind, min, max))
}

fn floats(path: &FieldPath<'_>, kind: &TypeKind, greatest: f64) -> Result<Floats> {
    let wanted = format!("a number from {:e} to {greatest:e}", -greatest);
    let bound = |option: &str, default: f64| -> Result<f64> {
        let value = path.parsed(option, &wanted)?.unwrap_or(default);
        if !(-greatest..=greatest).contains(&value) {
            return Err(path.invalid(option, &value.to_string(), &wanted));
        }
        Ok(value)
    };
    let (min, max) = (bound("min", 0.0)?, bound("max", greatest)?);
    ordered(path, min <= max)?;
    Ok(Floats::new(kind, min, max))
}

fn decimals(path: &FieldPath<'_>, precision: u8, scale: u8) -> Result<Decimals> {
    let greatest = 10i128.pow(u32::from(precision)) - 1;
    let factor = 10f64.powi(i32::from(scale));
    let wanted = format!("a number that a DECIMAL({precision}, {scale}) holds");
    let bound = |option: &str, default: i128| -> Result<i128> {
        let Some(value) = path.parsed::<f64>(option, &wanted)? else { return Ok(default) };
        let units = (value * factor).round() as i128;
        if units.abs() > greatest || value.is_nan() {
            return Err(path.invalid(option, &value.to_string(), &wanted));
        }
        Ok(units)
    };
    let (min, max) = (bound("min", 0)?, bound("max", greatest)?);
    ordered(path, min <= max)?;
    Ok(Decimals::new(precision, scale, min, max))
}

fn ordered(path: &FieldPath<'_>, is: bool) -> Result<()> {
    if is {
        return Ok(());
    }
    Err(Error::user(format!("field '{}': min is greater than max", path.path())))
}

fn text_length(path: &FieldPath<'_>, declared: u32) -> Result<(u32, u32)> {
    let greatest = declared.min(LENGTH_LIMIT);
    let wanted = format!("a length from 1 to {greatest}");
    let default = if declared == LENGTH_MAX { TEXT_LENGTH_DEFAULT } else { greatest };
    let length = path.parsed("length", &wanted)?.unwrap_or(default);
    if length == 0 || length > greatest {
        return Err(path.invalid("length", &length.to_string(), &wanted));
    }
    let varies = path.parsed("var-len", "true or false")?.unwrap_or(false);
    Ok((if varies { 1 } else { length }, length))
}

fn collection_length(path: &FieldPath<'_>) -> Result<Lengths> {
    let wanted = "a length from 0 to 10000";
    let max = path.parsed("length", wanted)?.unwrap_or(COLLECTION_LENGTH_DEFAULT);
    if max > 10_000 {
        return Err(path.invalid("length", &max.to_string(), wanted));
    }
    let varies = path.parsed("var-len", "true or false")?.unwrap_or(false);
    Ok(Lengths { min: if varies { max.min(1) } else { max }, max })
}

fn sequence(
    path: &FieldPath<'_>,
    data_type: &DataType,
    rows_max: &mut Option<u64>,
) -> Result<Shape> {
    let kind = &data_type.kind;
    if !(kind.is_numeric() || kind.is_string()) {
        return Err(Error::user(format!("field '{}': a sequence makes no {kind}", path.path()))
            .with_hint("sequences are for numbers and strings; use kind random"));
    }
    let bound = |option: &str| -> Result<i64> {
        path.parsed(option, "a whole number")?.ok_or_else(|| {
            Error::user(format!("option '{}' is missing", path.key(option)))
                .with_hint("a sequence needs a start and an end")
        })
    };
    let (start, end) = (bound("start")?, bound("end")?);
    if start > end {
        return Err(Error::user(format!("field '{}': start is greater than end", path.path())));
    }
    let (least, greatest) = match kind {
        TypeKind::Decimal { precision, scale } => {
            let digits = u32::from(precision - scale).min(18);
            (1 - 10i64.pow(digits), 10i64.pow(digits) - 1)
        }
        kind => integer_range(kind).unwrap_or((i64::MIN, i64::MAX)),
    };
    if start < least || end > greatest {
        return Err(Error::user(format!(
            "field '{}': {start} to {end} does not fit into {kind}",
            path.path()
        )));
    }
    let rows = u64::try_from(i128::from(end) - i128::from(start) + 1).unwrap_or(u64::MAX);
    *rows_max = Some(rows_max.map_or(rows, |other| other.min(rows)));
    Ok(Shape::Leaf(Box::new(Sequence::new(kind, start))))
}
