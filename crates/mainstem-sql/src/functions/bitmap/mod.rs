//! BITMAP_BUILD, BITMAP_AND and the other functions of sets of integers. Their aggregates are the engine's.
//! Invariant: a bitmap is NULL or the bytes that `mainstem_core::bitmap` writes, so equal sets are equal bytes.

use arrow_array::builder::{BinaryBuilder, Int32Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use mainstem_core::bitmap::{self, Bitmap};
use mainstem_core::{DataType, Error, Result, TypeKind};

use crate::functions::rowwise::{Bytes, List, map1, map2};
use crate::functions::signature::{Want, arity, expect, mismatch, strict};
use crate::functions::{Argument, Binding, ScalarFunction};
use crate::session::Session;

/// The functions of this folder.
pub static FUNCTIONS: &[&ScalarFunction] = &[
    &BITMAP_BUILD,
    &BITMAP_FROM_BYTES,
    &BITMAP_TO_BYTES,
    &BITMAP_TO_ARRAY,
    &BITMAP_TO_STRING,
    &BITMAP_CARDINALITY,
    &BITMAP_AND,
    &BITMAP_ANDNOT,
    &BITMAP_OR,
    &BITMAP_XOR,
];

pub static BITMAP_BUILD: ScalarFunction = ScalarFunction {
    name: "BITMAP_BUILD",
    aliases: &[],
    usage: "BITMAP_BUILD(array)",
    doc: "The set of the INTs of an array; NULLs among them are left out.",
    bind: bind_build,
};

fn bind_build(arguments: &[Argument], _: &Session) -> Result<Binding> {
    arity(arguments.len(), 1, Some(1))?;
    let given = &arguments[0].data_type;
    let fits = match &given.kind {
        TypeKind::Array(item) => item.kind.is_integer() && item.kind != TypeKind::BigInt,
        kind => *kind == TypeKind::Null,
    };
    if !fits {
        return Err(mismatch(0, "an array of INT", given));
    }
    let numbers = TypeKind::Array(Box::new(TypeKind::Int.nullable()));
    let nullable = given.nullable || given.kind == TypeKind::Null;
    let arguments = vec![DataType { kind: numbers, nullable }];
    let kernel = map1::<List, BinaryBuilder>(|list, out| {
        let numbers = list
            .as_primitive_opt::<Int32Type>()
            .ok_or_else(|| Error::internal("BITMAP_BUILD got no array of INT"))?;
        let set: Bitmap = numbers.iter().flatten().map(|number| number as u32).collect();
        out.append_value(bitmap::write(set));
        Ok(())
    });
    Ok(strict(TypeKind::Bitmap, arguments, kernel))
}

pub static BITMAP_FROM_BYTES: ScalarFunction = ScalarFunction {
    name: "BITMAP_FROM_BYTES",
    aliases: &[],
    usage: "BITMAP_FROM_BYTES(bytes)",
    doc: "The set that BITMAP_TO_BYTES, or any RoaringBitmap, wrote.",
    bind: |arguments, _| {
        let types = expect(arguments, &[Want::Bytes], 1)?;
        let kernel = map1::<Bytes, BinaryBuilder>(|bytes, out| {
            out.append_value(bitmap::write(bitmap::read(bytes)?));
            Ok(())
        });
        Ok(strict(TypeKind::Bitmap, types, kernel))
    },
};

pub static BITMAP_TO_BYTES: ScalarFunction = ScalarFunction {
    name: "BITMAP_TO_BYTES",
    aliases: &[],
    usage: "BITMAP_TO_BYTES(bitmap)",
    doc: "The set in the portable format of RoaringBitmap.",
    bind: |arguments, _| {
        let types = expect(arguments, &[Want::Bitmap], 1)?;
        let kernel = map1::<Bytes, BinaryBuilder>(|bytes, out| {
            out.append_value(bytes);
            Ok(())
        });
        Ok(strict(TypeKind::BYTES, types, kernel))
    },
};

pub static BITMAP_TO_ARRAY: ScalarFunction = ScalarFunction {
    name: "BITMAP_TO_ARRAY",
    aliases: &[],
    usage: "BITMAP_TO_ARRAY(bitmap)",
    doc: "The members in their order as unsigned numbers, as INTs.",
    bind: |arguments, _| {
        let types = expect(arguments, &[Want::Bitmap], 1)?;
        let kernel = map1::<Bytes, ListBuilder<Int32Builder>>(|bytes, out| {
            out.append_value(bitmap::read(bytes)?.iter().map(|member| Some(member as i32)));
            Ok(())
        });
        Ok(strict(TypeKind::Array(Box::new(TypeKind::Int.nullable())), types, kernel))
    },
};

pub static BITMAP_TO_STRING: ScalarFunction = ScalarFunction {
    name: "BITMAP_TO_STRING",
    aliases: &[],
    usage: "BITMAP_TO_STRING(bitmap)",
    doc: "The members as text: {1,2,3}.",
    bind: |arguments, _| {
        let types = expect(arguments, &[Want::Bitmap], 1)?;
        let kernel = map1::<Bytes, StringBuilder>(|bytes, out| {
            let mut text = Vec::new();
            bitmap::print(&bitmap::read(bytes)?, &mut text);
            out.append_value(String::from_utf8_lossy(&text));
            Ok(())
        });
        Ok(strict(TypeKind::STRING, types, kernel))
    },
};

pub static BITMAP_CARDINALITY: ScalarFunction = ScalarFunction {
    name: "BITMAP_CARDINALITY",
    aliases: &[],
    usage: "BITMAP_CARDINALITY(bitmap)",
    doc: "How many members the set has.",
    bind: |arguments, _| {
        let types = expect(arguments, &[Want::Bitmap], 1)?;
        let kernel = map1::<Bytes, Int64Builder>(|bytes, out| {
            out.append_value(bitmap::read(bytes)?.len() as i64);
            Ok(())
        });
        Ok(strict(TypeKind::BigInt, types, kernel))
    },
};

macro_rules! combine {
    ($name:ident, $operation:tt, $doc:literal) => {
        pub static $name: ScalarFunction = ScalarFunction {
            name: stringify!($name),
            aliases: &[],
            usage: concat!(stringify!($name), "(bitmap, bitmap)"),
            doc: $doc,
            bind: |arguments, _| {
                let types = expect(arguments, &[Want::Bitmap, Want::Bitmap], 2)?;
                let kernel = map2::<Bytes, Bytes, BinaryBuilder>(|left, right, out| {
                    let (left, right) = (bitmap::read(left)?, bitmap::read(right)?);
                    out.append_value(bitmap::write(left $operation right));
                    Ok(())
                });
                Ok(strict(TypeKind::Bitmap, types, kernel))
            },
        };
    };
}

combine!(BITMAP_AND, &, "The members that both sets have.");
combine!(BITMAP_ANDNOT, -, "The members of the first set that the second has not.");
combine!(BITMAP_OR, |, "The members of either set.");
combine!(BITMAP_XOR, ^, "The members that one of the sets has and the other has not.");
