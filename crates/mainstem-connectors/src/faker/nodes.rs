//! From a field's type and options to the node that makes it.
//! Invariant: each scalar has an expression, and a directive that counts rows stands outside collections.

use arrow_schema::DataType as ArrowType;
use mainstem_core::types::arrow_fields;
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::data::Locale;
use super::leaves::leaf;
use super::providers::compile;
use crate::generator::columns::{Lengths, Node, Shape, path_seed};
use crate::generator::fields::FieldPath;

/// What holds for the whole table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) seed: u64,
    pub(super) locale: Locale,
    pub(super) now_ms: i64,
}

/// The node of a field and all that is nested in it.
pub(super) fn node(
    path: &FieldPath<'_>,
    data_type: &DataType,
    settings: Settings,
    in_collection: bool,
) -> Result<Node> {
    let null_rate = path.null_rate()?;
    let nested = |name: &str, t: &DataType| -> Result<Box<Node>> {
        Ok(Box::new(node(&path.nested(name), t, settings, true)?))
    };
    let element = |t: &DataType| -> Result<Box<Node>> {
        if matches!(t.kind, TypeKind::Row(_) | TypeKind::Array(_) | TypeKind::Map(..)) {
            return nested("element", t);
        }
        Ok(Box::new(scalar(path, t, settings, true, 0.0)?))
    };
    let shape = match (&data_type.kind, data_type.to_arrow()) {
        (TypeKind::Row(fields), _) => {
            let nodes = fields
                .iter()
                .map(|f| node(&path.nested(&f.name), &f.data_type, settings, in_collection));
            Shape::Row(arrow_fields(fields), nodes.collect::<Result<_>>()?)
        }
        (TypeKind::Array(item), ArrowType::List(field)) => {
            Shape::List(field, element(item)?, length(path)?)
        }
        (TypeKind::Multiset(item), ArrowType::Map(entries, _)) => {
            Shape::Multiset(entries, element(item)?, length(path)?)
        }
        (TypeKind::Map(key, value), ArrowType::Map(entries, _)) => {
            let (key, value) = (nested("key", key)?, nested("value", value)?);
            if key.null_rate > 0.0 {
                return Err(path.nested("key").invalid("null-rate", "> 0", "0: keys are not null"));
            }
            Shape::Map(entries, key, value, length(path)?)
        }
        _ => return scalar(path, data_type, settings, in_collection, null_rate),
    };
    Ok(Node { seed: path_seed(settings.seed, path.path()), null_rate, shape })
}

fn scalar(
    path: &FieldPath<'_>,
    data_type: &DataType,
    settings: Settings,
    in_collection: bool,
    null_rate: f64,
) -> Result<Node> {
    let text = path.text("expression").ok_or_else(|| {
        Error::user(format!("field '{}' has no expression", path.path())).with_hint(format!(
            "add '{}' = '#{{Lorem.word}}' or another expression",
            path.key("expression")
        ))
    })?;
    let of_field = |e: Error| e.context(format!("field '{}'", path.path()));
    let maker = compile(text, settings.locale).map_err(of_field)?;
    if in_collection && maker.counts_rows() {
        return Err(Error::user(format!("field '{}' counts rows in a collection", path.path()))
            .with_hint("use #{sequence...} in a column or in a field of a ROW"));
    }
    let leaf = leaf(path.path(), maker, &data_type.kind, settings.now_ms)?;
    Ok(Node { seed: path_seed(settings.seed, path.path()), null_rate, shape: Shape::Leaf(leaf) })
}

fn length(path: &FieldPath<'_>) -> Result<Lengths> {
    let wanted = "a length from 0 to 10000";
    let length: u32 = path.parsed("length", wanted)?.unwrap_or(1);
    if length > 10_000 {
        return Err(path.invalid("length", &length.to_string(), wanted));
    }
    Ok(Lengths { min: length, max: length })
}
