//! Checks of a call's arguments at bind time, and the constants among them.
//! Invariant: a function that got past [`expect`] has as many arguments as it takes, each of the family it takes.
//! Does not cast: what a kernel wants is said in `Binding::arguments`, and the binder puts the casts in.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::{Argument, Binding, Kernel};

/// The family of types a parameter takes, and what the kernel gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// CHAR or VARCHAR, as it is.
    Text,
    /// BINARY or VARBINARY, as it is.
    Bytes,
    /// TINYINT to BIGINT; the kernel gets BIGINT.
    Integer,
    /// Any number; the kernel gets DOUBLE.
    Double,
    /// Any number, as it is.
    Number,
    /// BOOLEAN.
    Boolean,
    /// ARRAY, as it is.
    Array,
    /// MAP, as it is.
    Map,
    /// BITMAP.
    Bitmap,
    /// VARIANT.
    Variant,
    /// Anything, as it is.
    Any,
}

impl Want {
    fn name(self) -> &'static str {
        match self {
            Want::Text => "a string",
            Want::Bytes => "a binary string",
            Want::Integer => "an integer",
            Want::Double | Want::Number => "a number",
            Want::Boolean => "a boolean",
            Want::Array => "an array",
            Want::Map => "a map",
            Want::Bitmap => "a bitmap",
            Want::Variant => "a variant",
            Want::Any => "a value",
        }
    }

    /// What an argument of type `given` is cast to, if it fits. A bare NULL fits everywhere but in collections.
    fn accept(self, given: &DataType) -> Option<DataType> {
        let kind = &given.kind;
        let null = *kind == TypeKind::Null;
        let target = match self {
            Want::Text if kind.is_string() => kind.clone(),
            Want::Text if null => TypeKind::STRING,
            Want::Bytes if kind.is_binary() => kind.clone(),
            Want::Bytes if null => TypeKind::BYTES,
            Want::Integer if kind.is_integer() || null => TypeKind::BigInt,
            Want::Double if kind.is_numeric() || null => TypeKind::Double,
            Want::Number if kind.is_numeric() => kind.clone(),
            Want::Number if null => TypeKind::Int,
            Want::Boolean if *kind == TypeKind::Boolean || null => TypeKind::Boolean,
            Want::Array if matches!(kind, TypeKind::Array(_)) => kind.clone(),
            Want::Map if matches!(kind, TypeKind::Map(..)) => kind.clone(),
            Want::Bitmap if *kind == TypeKind::Bitmap => kind.clone(),
            Want::Variant if *kind == TypeKind::Variant => kind.clone(),
            Want::Any => kind.clone(),
            _ => return None,
        };
        Some(DataType { kind: target, nullable: given.nullable || null })
    }
}

/// The argument types for a call that takes `required` up to `wants.len()` arguments.
pub(crate) fn expect(
    arguments: &[Argument],
    wants: &[Want],
    required: usize,
) -> Result<Vec<DataType>> {
    arity(arguments.len(), required, Some(wants.len()))?;
    arguments.iter().zip(wants).enumerate().map(|(i, (a, want))| one(i, a, *want)).collect()
}

/// The argument types for a call that takes `fixed` arguments and then any number of `rest`.
pub(crate) fn expect_variadic(
    arguments: &[Argument],
    fixed: &[Want],
    rest: Want,
    required: usize,
) -> Result<Vec<DataType>> {
    arity(arguments.len(), required, None)?;
    let wants = fixed.iter().copied().chain(std::iter::repeat(rest));
    arguments.iter().zip(wants).enumerate().map(|(i, (a, want))| one(i, a, want)).collect()
}

fn one(index: usize, argument: &Argument, want: Want) -> Result<DataType> {
    want.accept(&argument.data_type)
        .ok_or_else(|| mismatch(index, want.name(), &argument.data_type))
}

/// The error for an argument (counted from 0) of the wrong type.
pub(crate) fn mismatch(index: usize, wanted: &str, found: &DataType) -> Error {
    Error::user(format!("argument {} must be {wanted}, found {}", index + 1, found.kind))
        .with_hint("CAST the argument to the type that the function takes")
}

/// Fails unless `found` is within the bounds.
pub(crate) fn arity(found: usize, required: usize, most: Option<usize>) -> Result<()> {
    if found >= required && most.is_none_or(|most| found <= most) {
        return Ok(());
    }
    let takes = match most {
        Some(most) if most == required => format!("{required}"),
        Some(most) => format!("{required} to {most}"),
        None => format!("at least {required}"),
    };
    Err(Error::user(format!("takes {takes} arguments, found {found}")))
}

/// True if any of the types admits NULL.
pub(crate) fn any_nullable(types: &[DataType]) -> bool {
    types.iter().any(|t| t.nullable)
}

/// A deterministic binding whose result is NULL exactly where an argument is.
pub(crate) fn strict(returns: TypeKind, arguments: Vec<DataType>, kernel: Kernel) -> Binding {
    let nullable = any_nullable(&arguments);
    Binding {
        returns: DataType { kind: returns, nullable },
        arguments,
        kernel,
        deterministic: true,
    }
}

/// A deterministic binding whose result may be NULL even where no argument is.
pub(crate) fn partial(returns: TypeKind, arguments: Vec<DataType>, kernel: Kernel) -> Binding {
    Binding { returns: returns.nullable(), arguments, kernel, deterministic: true }
}

/// The length of a string type; STRING's for a bare NULL.
pub(crate) fn text_length(data_type: &DataType) -> u32 {
    match data_type.kind {
        TypeKind::Char { length } | TypeKind::Varchar { length } => length,
        _ => mainstem_core::types::LENGTH_MAX,
    }
}

/// VARCHAR as long as `data_type` is.
pub(crate) fn varchar_like(data_type: &DataType) -> TypeKind {
    TypeKind::Varchar { length: text_length(data_type) }
}

/// A constant string argument; `Some(None)` is the constant NULL.
pub(crate) fn constant_text(argument: &Argument) -> Option<Option<&str>> {
    let literal = argument.literal.as_ref()?;
    if literal.is_null(0) || argument.data_type.kind == TypeKind::Null {
        return Some(None);
    }
    Some(Some(literal.as_string_opt::<i32>()?.value(0)))
}

/// A constant integer argument; `Some(None)` is the constant NULL.
pub(crate) fn constant_integer(argument: &Argument) -> Option<Option<i64>> {
    let literal = argument.literal.as_ref()?;
    if literal.is_null(0) || argument.data_type.kind == TypeKind::Null {
        return Some(None);
    }
    integer_at(literal, 0).map(Some)
}

/// A constant boolean argument that is not NULL.
pub(crate) fn constant_boolean(argument: &Argument) -> Option<bool> {
    let flags = argument.literal.as_ref()?.as_boolean_opt()?;
    flags.is_valid(0).then(|| flags.value(0))
}

fn integer_at(array: &ArrayRef, row: usize) -> Option<i64> {
    if let Some(a) = array.as_primitive_opt::<Int32Type>() {
        return Some(a.value(row).into());
    }
    if let Some(a) = array.as_primitive_opt::<Int64Type>() {
        return Some(a.value(row));
    }
    if let Some(a) = array.as_primitive_opt::<Int16Type>() {
        return Some(a.value(row).into());
    }
    array.as_primitive_opt::<Int8Type>().map(|a| a.value(row).into())
}
