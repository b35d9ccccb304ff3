//! UUID(): a new identifier a row.
//! Invariant: never folded and never shared; the one place of this crate that takes randomness from the system.

use std::sync::Arc;

use arrow_array::StringArray;
use mainstem_core::TypeKind;
use mainstem_engine::expr::Value;

use crate::functions::signature::arity;
use crate::functions::{Binding, Kernel, ScalarFunction};

pub(super) static UUID: ScalarFunction = ScalarFunction {
    name: "UUID",
    aliases: &[],
    usage: "UUID()",
    doc: "A random identifier of RFC 4122, type 4.",
    bind: |arguments, _| {
        arity(arguments.len(), 0, Some(0))?;
        let kernel: Kernel = Arc::new(|_, rows, _| {
            let ids = StringArray::from_iter_values((0..rows).map(|_| random()));
            Ok(Value::Array(Arc::new(ids)))
        });
        let returns = TypeKind::Char { length: 36 }.not_null();
        Ok(Binding { returns, arguments: Vec::new(), kernel, deterministic: false })
    },
};

#[allow(clippy::disallowed_methods, reason = "UUID() is the exception that the rule names")]
fn random() -> String {
    uuid::Uuid::new_v4().to_string()
}
